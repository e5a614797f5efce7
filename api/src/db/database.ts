// The one way to the database: a Kysely instance per process, and transactions that cannot deadlock
// with themselves. Dialects live in sqlite.ts and postgres.ts, tables in schema.ts.

import { AsyncLocalStorage } from 'node:async_hooks';
import { Kysely, sql, type KyselyPlugin, type Transaction } from 'kysely';
import { openPostgres, postgresDialect } from './postgres.ts';
import { openSqlite, sqliteDialect } from './sqlite.ts';
import type { Schema } from './schema.ts';

export type DialectName = 'sqlite' | 'postgres';
/** What repositories are built from: the database itself, or the transaction they belong to. */
export type Executor = Kysely<Schema>;
export type Tx = Transaction<Schema>;

export interface Database {
  readonly dialect: DialectName;
  /** For statements outside a transaction. Inside one it throws: build the repository from `tx` instead. */
  readonly db: Executor;
  /** Runs SQL only (no I/O, no hashing) in one transaction; a serialisation conflict is tried again up to 3 times. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Lends a way to the database without time limits, for what takes its time, such as migrations: connections of its own on
   * PostgreSQL, `db` itself on SQLite.
   */
  unhurried<T>(work: (db: Executor) => Promise<T>): Promise<T>;
  /** Throws when the database does not answer. */
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** `postgres://…`, see PostgresOptions, or the path of a SQLite file. */
  url: string;
  /** Connections to PostgreSQL at most. Default 20. */
  poolSize?: number | undefined;
  /** Called after each query with its duration in seconds. */
  onQuery?: (seconds: number) => void;
}

const MAX_ATTEMPTS = 4;
const UNHURRIED_POOL_SIZE = 2;
/** serialization_failure and deadlock_detected (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const RETRYABLE_SQLSTATES = new Set(['40001', '40P01']);

/** Opens the database. On a SQLite file there must be exactly one instance in a process. */
export function createDatabase(options: DatabaseOptions): Database {
  const dialectName: DialectName = /^postgres(ql)?:/.test(options.url) ? 'postgres' : 'sqlite';
  const unguarded = new Kysely<Schema>({
    dialect: dialectName === 'postgres' ? postgresDialect(openPostgres(options)) : sqliteDialect(openSqlite(options.url)),
    ...(options.onQuery && { log: (event) => options.onQuery?.(event.queryDurationMillis / 1000) }),
  });
  const insideTransaction = new AsyncLocalStorage<true>();
  const db = unguarded.withPlugin(outsideTransactionsOnly(insideTransaction));
  return {
    dialect: dialectName,
    db,
    async transaction(work) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await unguarded.transaction().execute((tx) => insideTransaction.run(true, () => work(tx)));
        } catch (error) {
          if (attempt === MAX_ATTEMPTS || !RETRYABLE_SQLSTATES.has(sqlState(error))) throw error;
        }
      }
    },
    async unhurried(work) {
      if (dialectName === 'sqlite') return work(db);
      const lent = new Kysely<Schema>({ dialect: postgresDialect(openPostgres({ url: options.url, poolSize: UNHURRIED_POOL_SIZE, timeLimits: false })) });
      try {
        return await work(lent);
      } finally {
        await lent.destroy();
      }
    },
    async check() { await sql`select 1`.execute(db); },
    close: () => unguarded.destroy(),
  };
}

/** Refuses a query that would wait for the connection which its own transaction holds. */
function outsideTransactionsOnly(insideTransaction: AsyncLocalStorage<true>): KyselyPlugin {
  return {
    transformQuery({ node }) {
      if (insideTransaction.getStore()) throw new Error('the database was used inside a transaction: build the repository from tx');
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
}

function sqlState(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}
