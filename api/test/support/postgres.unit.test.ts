import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { startPostgresCluster } from './postgres-cluster.ts';
import { createTestDatabaseUrl } from './postgres.ts';

const run = promisify(execFile);

async function query(url: string, statement: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

const socketDirectory = (url: string): string => new URL(url).searchParams.get('host') ?? '';

test('two databases are independent', async () => {
  const [one, other] = await Promise.all([createTestDatabaseUrl(), createTestDatabaseUrl()]);
  after(async () => {
    await one.drop();
    await other.drop();
  });
  await query(one.url, 'create table ships (name text)');
  await assert.rejects(query(other.url, 'select * from ships'), { code: '42P01' });
});

test('a database can be dropped despite open connections', async () => {
  const database = await createTestDatabaseUrl();
  const idle = new pg.Client({ connectionString: database.url });
  idle.on('error', () => undefined);
  await idle.connect();
  await database.drop();
  await assert.rejects(query(database.url, 'select 1'), { code: '3D000' });
});

test('the server sorts by bytes, has pg_trgm, and can be durable', async () => {
  const cluster = await startPostgresCluster({ durable: true });
  try {
    assert.deepEqual(await query(cluster.url, `select 'Z' < 'a' as bytes`), [{ bytes: true }]);
    await query(cluster.url, 'create extension pg_trgm');
    assert.deepEqual(await query(cluster.url, 'show fsync'), [{ fsync: 'on' }]);
  } finally {
    await cluster.stop();
  }
  assert.equal(existsSync(socketDirectory(cluster.url)), false);
});

test('a server stops when the process that started it is killed', async () => {
  const program = `
    const { startPostgresCluster } = await import(${JSON.stringify(import.meta.resolve('./postgres-cluster.ts'))});
    console.log((await startPostgresCluster()).url);
    process.kill(process.pid, 'SIGKILL');`;
  const killed = await run(process.execPath, ['--input-type=module', '--eval', program]).catch(
    (error: unknown) => error,
  );
  assert.ok(killed instanceof Error && 'stdout' in killed && 'signal' in killed);
  assert.equal(killed.signal, 'SIGKILL');
  const directory = socketDirectory(String(killed.stdout).trim());
  assert.match(directory, /berth-postgres-/);
  while (existsSync(directory)) await new Promise((resolve) => setTimeout(resolve, 20));
});
