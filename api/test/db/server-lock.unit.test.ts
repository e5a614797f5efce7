import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { takeServerLock } from '../../src/db/index.ts';

async function lockFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'berth-lock-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, 'server.lock');
}

async function take(file: string, waitMs = 0) {
  const lock = await takeServerLock(file, waitMs);
  return 'heldBy' in lock ? lock.heldBy : lock;
}

async function holderOf(file: string): Promise<string> {
  const holder = await take(file);
  assert.ok(typeof holder === 'string');
  return holder;
}

test('one server has the lock, until it closes it', async (t) => {
  const file = await lockFile(t);
  const first = await take(file);
  assert.ok(typeof first !== 'string');
  for (let attempt = 0; attempt < 2; attempt++) {
    assert.match(
      await holderOf(file),
      new RegExp(`^process ${process.pid} on ${hostname()}, since \\d{4}-\\d\\d-\\d\\dT`),
    );
  }
  await first.close();
  const third = await take(file);
  assert.ok(typeof third !== 'string');
  await third.close();
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test('whoever waits gets it from a server that ends', async (t) => {
  const file = await lockFile(t);
  const first = await take(file);
  assert.ok(typeof first !== 'string');
  const waiting = take(file, 60_000);
  await first.close();
  const second = await waiting;
  assert.ok(typeof second !== 'string');
  await second.close();
});

test('the end of a process releases it, also by a kill', async (t) => {
  const file = await lockFile(t);
  const program = `
    const { takeServerLock } = await import(${JSON.stringify(import.meta.resolve('../../src/db/index.ts'))});
    await takeServerLock(${JSON.stringify(file)}, 0);
    console.log('taken');
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  assert.match(await holderOf(file), new RegExp(`^process ${child.pid} on `));
  child.kill('SIGKILL');
  await once(child, 'exit');
  const lock = await take(file);
  assert.ok(typeof lock !== 'string');
  await lock.close();
});

test('of many that start at once, one gets it', async (t) => {
  const file = await lockFile(t);
  const results = await Promise.all(Array.from({ length: 8 }, () => take(file)));
  const locks = results.filter((it) => typeof it !== 'string');
  assert.equal(locks.length, 1);
  await locks[0]?.close();
});
