import assert from 'node:assert/strict';
import { readdir, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'node:test';
import { acquireLock } from '../dist/lock.js';
import { ownIdentity } from '../dist/process-identity.js';
import { makeDirectory } from './support/setting.ts';

/** Gives the lock to another holder, whose last heartbeat was `ageMs` ago. */
async function pretendHeld(lock: string, holder: string, ageMs: number): Promise<void> {
  const [name = ''] = await readdir(lock);
  const heartbeat = new Date(Date.now() - ageMs);
  await rename(join(lock, name), join(lock, holder));
  await utimes(join(lock, holder), heartbeat, heartbeat);
}

async function makeLock(t: Parameters<typeof makeDirectory>[0]): Promise<string> {
  const lock = join(await makeDirectory(t), 'deep', '.lock');
  await (await acquireLock(lock)).release();
  return lock;
}

/** Name of a holder whose process does not exist. */
const deadHolder = async (): Promise<string> => {
  const { space } = await ownIdentity();
  return `held.${space}.${2 ** 22 - 1}.1.0123456789abcdef`;
};

test('a lock has one holder at a time', async (t) => {
  const lock = await makeLock(t);
  let holders = 0;
  let turns = 0;
  await Promise.all(
    Array.from({ length: 12 }, async () => {
      const held = await acquireLock(lock);
      holders += 1;
      turns += 1;
      assert.equal(holders, 1);
      assert.equal(await held.isHeld(), true);
      holders -= 1;
      await held.release();
      assert.equal(await held.isHeld(), false);
    }),
  );
  assert.equal(turns, 12);
  assert.deepEqual(await readdir(lock), ['free']);
});

test('one of several processes that create the lock wins', async (t) => {
  const lock = join(await makeDirectory(t), '.lock');
  let holders = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      const held = await acquireLock(lock);
      assert.equal((holders += 1), 1);
      holders -= 1;
      await held.release();
    }),
  );
  assert.deepEqual(await readdir(join(lock, '..')), ['.lock']);
});

test('one of several processes that find a dead holder wins', async (t) => {
  const lock = await makeLock(t);
  for (let round = 0; round < 5; round += 1) {
    await pretendHeld(lock, await deadHolder(), 0);
    let holders = 0;
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        const held = await acquireLock(lock);
        assert.equal((holders += 1), 1);
        await new Promise((resolve) => {
          setImmediate(resolve);
        });
        holders -= 1;
        await held.release();
      }),
    );
    assert.deepEqual(await readdir(lock), ['free']);
  }
});

test('a reused process id is detected by the start time', async (t) => {
  const lock = await makeLock(t);
  const { space, pid } = await ownIdentity();
  await pretendHeld(lock, `held.${space}.${pid}.1.0123456789abcdef`, 0);
  await (await acquireLock(lock)).release();
});

test('the lock of another container is respected until its heartbeat expires, then taken over', async (t) => {
  const lock = await makeLock(t);
  const elsewhere = 'held.ffffffffffff.1.1.0123456789abcdef';
  await pretendHeld(lock, elsewhere, 10_000);
  await assert.rejects(acquireLock(lock, AbortSignal.timeout(200)), { name: 'TimeoutError' });
  assert.deepEqual(await readdir(lock), [elsewhere]);
  await pretendHeld(lock, elsewhere, 30_000);
  await (await acquireLock(lock)).release();
});

test('a holder whose lock was taken over detects it, and does not release that of its successor', async (t) => {
  const lock = await makeLock(t);
  const first = await acquireLock(lock);
  const [name = ''] = await readdir(lock);
  await pretendHeld(lock, name, 30_000);
  const second = await acquireLock(lock);
  assert.equal(await first.isHeld(), false);
  await first.release();
  assert.equal(await second.isHeld(), true);
  await second.release();
});

test('a lock that was removed, or has foreign files, can be acquired', async (t) => {
  const lock = await makeLock(t);
  const held = await acquireLock(lock);
  await rm(lock, { recursive: true });
  assert.equal(await held.isHeld(), false);
  await held.release();
  await (await acquireLock(lock)).release();
  await writeFile(join(lock, '.DS_Store'), '');
  await (await acquireLock(lock)).release();
});
