// Consistent snapshot of the whole database, for reading it while others write.

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { sql, type SelectQueryBuilder } from 'kysely';
import { withCleanUp } from '../errors.ts';
import { createDatabase, type Database, type DialectName, type Executor } from './database.ts';

/** Rows per fetch from PostgreSQL; a row with an image or a long README may have megabytes. */
const FETCH_ROWS = 64;
/**
 * Runs in a thread, since it takes seconds per GiB and leases must be renewed meanwhile. It only reads, so it may have
 * the file open beside the process's writing instance.
 */
const VACUUM_THREAD = `
  const { workerData: { file, copy } } = require('node:worker_threads');
  const { DatabaseSync } = require('node:sqlite');
  const database = new DatabaseSync(file, { timeout: 10_000 });
  database.prepare('vacuum into ?').run(copy);
  database.close();`;

/**
 * Runs `work` on a consistent snapshot: on SQLite a copy made by `VACUUM INTO`, on PostgreSQL a read-only transaction
 * at repeatable read. Neither blocks writers. Unlike in other transactions, `work` may do I/O.
 *
 * @param scratchDirectory for SQLite's copy, which is as large as the database and deleted when `work` ends
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
  return withCleanUp(
    async () => {
      await vacuumInto(await fileOf(database), copy);
      const snapshot = createDatabase({ url: copy });
      return withCleanUp(
        () => work(snapshot.db),
        () => snapshot.close(),
      );
    },
    async () => {
      for (const suffix of ['', '-wal', '-shm', '-journal']) await rm(copy + suffix, { force: true });
    },
  );
}

/** Yields every row of a query without parameters, with at most 64 rows in memory. */
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
  return (await sql<Row>`fetch ${sql.lit(FETCH_ROWS)} from streamed_rows`.execute(snapshot)).rows;
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
