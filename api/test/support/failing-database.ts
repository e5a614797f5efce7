// Fault injection for databases: every statement that writes fails, because the disk is full or returns errors.

import { execFileSync } from 'node:child_process';
import { sql } from 'kysely';
import type { Database } from '../../src/db/index.ts';

export type DatabaseFault = 'full' | 'io-error';

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: disk_full, io_error. */
const SQLSTATES: Record<DatabaseFault, string> = { 'full': '53100', 'io-error': '58030' };
/** More than the free pages of a test's database. */
const BALLAST_BYTES = 32 * 1024 * 1024;

export interface FailingDatabase {
  /** Runs work during which every write fails. */
  during<T>(fault: DatabaseFault, work: () => Promise<T>): Promise<T>;
}

/** Prepares a migrated database; it works normally until `during`. */
export async function createFailingDatabase(database: Database): Promise<FailingDatabase> {
  return database.dialect === 'sqlite' ? failingSqlite(database) : failingPostgres(database);
}

/**
 * Full: each write also inserts more than the limit of the file's size allows, so SQLite fails with SQLITE_FULL. I/O
 * errors: the kernel refuses every write of this process to a file (`RLIMIT_FSIZE`), which SQLite reports as
 * SQLITE_IOERR_WRITE.
 */
async function failingSqlite({ db }: Database): Promise<FailingDatabase> {
  const tables = (await db.introspection.getTables()).map(({ name }) => name).filter((name) => !isVirtual(name));
  const run = async (statement: string) => sql.raw(statement).execute(db);
  await run('create table ballast (bytes blob)');
  await run('create temp table fault (armed integer)');
  for (const table of tables)
    for (const event of ['insert', 'update', 'delete'])
      await run(
        `create temp trigger "${event} ${table}" after ${event} on main."${table}" ` +
          `when exists (select 1 from fault) begin insert into ballast values (zeroblob(${BALLAST_BYTES})); end`,
      );
  return {
    async during(fault, work) {
      if (fault === 'io-error') {
        limitFileSize('0');
        return work().finally(() => {
          limitFileSize('unlimited');
        });
      }
      const { rows } = await sql<{ page_count: number }>`pragma page_count`.execute(db);
      await run(`pragma max_page_count = ${rows[0]?.page_count}`);
      await run('insert into fault values (1)');
      try {
        return await work();
      } finally {
        await run('delete from fault');
        await run('pragma max_page_count = 1000000000');
      }
    },
  };
}

/** The tables of the full-text index, which triggers of their own table fill. */
function isVirtual(name: string): boolean {
  return name.startsWith('artefact_search');
}

/** Only the soft limit, which every process may raise again. */
function limitFileSize(bytes: string): void {
  execFileSync('prlimit', ['--pid', `${process.pid}`, `--fsize=${bytes}:`]);
}

/** Triggers raise the errors of PostgreSQL. */
async function failingPostgres({ db }: Database): Promise<FailingDatabase> {
  const tables = (await db.introspection.getTables()).map(({ name }) => name);
  const run = async (statement: string) => sql.raw(statement).execute(db);
  await run('create table fault (sqlstate text)');
  await run(
    'create function fail() returns trigger language plpgsql as $$ declare found_state text; begin ' +
      'select f.sqlstate into found_state from fault f; ' +
      "if found then raise exception 'could not write' using errcode = found_state; end if; return null; end $$",
  );
  for (const table of tables)
    await run(
      `create trigger fault before insert or update or delete on "${table}" ` +
        'for each statement execute function fail()',
    );
  return {
    async during(fault, work) {
      await run(`insert into fault values ('${SQLSTATES[fault]}')`);
      try {
        return await work();
      } finally {
        await run('delete from fault');
      }
    },
  };
}
