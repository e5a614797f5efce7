import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { sql } from 'kysely';
import { createDatabase, shrink } from '../../src/db/index.ts';

const MEBIBYTE = 1024 * 1024;

/** Fills a database with 24 MiB, and deletes all but every tenth row. */
async function start(t: TestContext, prepare: (file: string) => void = () => undefined) {
  const folder = await mkdtemp(join(tmpdir(), 'berth-shrink-'));
  const file = join(folder, 'berth.db');
  prepare(file);
  const database = createDatabase({ url: file });
  t.after(async () => {
    await database.close();
    await rm(folder, { recursive: true });
  });
  const { db } = database;
  await sql`create table if not exists filled (id integer primary key, bytes blob)`.execute(db);
  for (let round = 0; round < 24; round++)
    await sql`
      insert into filled (bytes)
      with recursive counter(n) as (select 1 union all select n + 1 from counter where n < 512)
      select randomblob(2048) from counter
    `.execute(db);
  await sql`delete from filled where id % 10 <> 0`.execute(db);
  const rest = () => sql<{ id: number; hex: string }>`select id, hex(bytes) as hex from filled`.execute(db);
  const fileBytes = async () => {
    await sql`pragma wal_checkpoint(truncate)`.execute(db);
    return (await stat(file)).size;
  };
  return { database, rest, fileBytes };
}

test('the file shrinks after a large deletion, and every row that is left stays', async (t) => {
  const { database, rest, fileBytes } = await start(t);
  const before = await fileBytes();
  assert.ok(before > 24 * MEBIBYTE);
  const { rows } = await rest();
  const { freedBytes } = await shrink(database);
  assert.equal(before - (await fileBytes()), freedBytes);
  // What is left may be reused: 10 % of the file, or less than 16 MiB.
  assert.ok(freedBytes > 4 * MEBIBYTE);
  assert.deepEqual((await rest()).rows, rows);
  const { rows: integrity } = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(database.db);
  assert.deepEqual(integrity.map(Object.values), [['ok']]);
  assert.deepEqual(await shrink(database), { freedBytes: 0 });
});

test('all but a tenth is given back, if that is worth it', async (t) => {
  const { database, fileBytes } = await start(t);
  await shrink(database, { minFreeBytes: 0 });
  assert.ok((await fileBytes()) < 8 * MEBIBYTE);
});

test('less free space than is worth the work stays', async (t) => {
  const { database, fileBytes } = await start(t);
  const before = await fileBytes();
  assert.deepEqual(await shrink(database, { minFreeBytes: 64 * MEBIBYTE }), { freedBytes: 0 });
  assert.equal(await fileBytes(), before);
});

test('it stops when the server does', async (t) => {
  const { database } = await start(t);
  await assert.rejects(shrink(database, { signal: AbortSignal.abort(new Error('stopping')) }), /stopping/);
});

test('an older file stays as it is', async (t) => {
  const { database, fileBytes } = await start(t, (file) => {
    const older = new DatabaseSync(file);
    older.exec('create table filled (id integer primary key, bytes blob)');
    older.close();
  });
  const before = await fileBytes();
  assert.deepEqual(await shrink(database, { minFreeBytes: 0 }), { freedBytes: 0 });
  assert.equal(await fileBytes(), before);
});
