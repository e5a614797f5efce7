// The whole database as it was at one moment, for reading all of it while others go on writing.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { sql, type SelectQueryBuilder } from 'kysely';
import { createDatabase, type Database, type DialectName, type Executor } from './database.ts';

/** Rows that PostgreSQL hands over at a time; a row with an image or a long README may hold megabytes. */
const ROWS_A_FETCH = 64;
/**
 * In a thread, since it takes seconds for each GiB and leases must be renewed meanwhile. It reads only, so it may
 * stand beside the one writing instance.
 */
const VACUUM_THREAD = `
  const { workerData: { file, copy } } = require('node:worker_threads');
  const { DatabaseSync } = require('node:sqlite');
  const database = new DatabaseSync(file, { timeout: 10_000 });
  database.prepare('vacuum into ?').run(copy);
  database.close();`;

/**
 * Reads a consistent view: on SQLite a copy made by `VACUUM INTO`, on PostgreSQL a read-only transaction at repeatable
 * read. Writers are not held up by either. What is read may go to files meanwhile, which in no other transaction is
 * allowed.
 *
 * @param scratchDirectory takes SQLite's copy, which is as large as the database, until `work` has ended /
 */
export async function readSnapshot<T>(
  database: Database,
  scratchDirectory: string,
  work: (snapshot: Executor) => Promise<T>,
): Promise<T> {
  if (database.dialect === 'postgres')
    return database.withoutTimeouts((db) =>
      db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work),
    );
  const copy = join(scratchDirectory, 'snapshot.db');
  try {
    await vacuumInto(await fileOf(database), copy);
    const snapshot = createDatabase({ url: copy });
    try {
      return await work(snapshot.db);
    } finally {
      await snapshot.close();
    }
  } finally {
    for (const suffix of ['', '-wal', '-shm', '-journal']) await rm(copy + suffix, { force: true });
  }
}

/** Yields every row of a query without parameters, in the snapshot's executor, holding few at a time. */
export async function* streamRows<Row extends object>(
  snapshot: Executor,
  dialect: DialectName,
  query: SelectQueryBuilder<never, never, Row>,
): AsyncGenerator<Row> {
  if (dialect === 'sqlite') {
    yield* query.stream();
    return;
  }
  await sql`declare streamed_rows no scroll cursor for ${query}`.execute(snapshot);
  for (let rows = await fetchNext<Row>(snapshot); rows.length > 0; rows = await fetchNext<Row>(snapshot)) yield* rows;
  await sql`close streamed_rows`.execute(snapshot);
}

async function fetchNext<Row>(snapshot: Executor): Promise<Row[]> {
  return (await sql<Row>`fetch ${sql.lit(ROWS_A_FETCH)} from streamed_rows`.execute(snapshot)).rows;
}

async function fileOf({ db }: Database): Promise<string> {
  const {
    rows: [main],
  } = await sql<{ file: string }>`select file from pragma_database_list where name = 'main'`.execute(db);
  return main?.file ?? '';
}

async function vacuumInto(file: string, copy: string): Promise<void> {
  const thread = new Worker(VACUUM_THREAD, { eval: true, workerData: { file, copy }, execArgv: [] });
  await new Promise<void>((resolve, reject) => {
    thread.once('error', reject).once('exit', () => {
      resolve();
    });
  });
}
