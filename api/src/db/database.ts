// The one way to the database: a Kysely instance per process, and transactions that cannot deadlock
// with themselves. Dialects live in sqlite.ts and postgres.ts, tables in schema.ts.

import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import type { Pool } from 'pg';
import { Kysely, sql, type CompiledQuery, type KyselyPlugin, type Transaction } from 'kysely';
import { openPostgres, postgresDialect } from './postgres.ts';
import { createSqliteReader, type SqliteReader } from './sqlite-reader.ts';
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
   * Lends a way to the database without time limits, for what takes its time, such as migrations: connections of its
   * own on PostgreSQL, `db` itself on SQLite. /
   */
  withoutTimeouts<T>(work: (db: Executor) => Promise<T>): Promise<T>;
  /**
   * Runs a statement that a power cut may take back, so that on SQLite nobody waits for the disk. A later transaction
   * makes it durable along with itself. On PostgreSQL, which flushes for many at once, `db` itself. /
   */
  withoutFlush<T>(work: (db: Executor) => Promise<T>): Promise<T>;
  /**
   * Prepares a query for one row that is asked very often, outside of transactions. On SQLite it runs on a connection
   * of its own that only reads, past Kysely, which costs several times what SQLite does.
   * @param query only the number of its parameters counts, not their values
   * @param columns names of the selected columns, in their order /
   */
  prepareOne<Row>(
    query: CompiledQuery<Row>,
    columns: readonly (keyof Row & string)[],
  ): (...parameters: readonly unknown[]) => Promise<Row | undefined>;
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
  let reader: SqliteReader | undefined;
  const pool = dialectName === 'postgres' ? openPostgres(options) : undefined;
  const unguarded = new Kysely<Schema>({
    dialect: pool ? postgresDialect(pool) : sqliteDialect(openSqlite(options.url)),
    log: ({ queryDurationMillis }) => {
      reader?.refresh();
      options.onQuery?.(queryDurationMillis / 1000);
    },
  });
  const insideTransaction = new AsyncLocalStorage<true>();
  /**
   * Refuses a query that would wait for the connection which its own transaction holds, or not see what that has
   * written.
   */
  const refuseInside = () => {
    if (insideTransaction.getStore())
      throw new Error('the database was used inside a transaction: build the repository from tx');
  };
  const db = unguarded.withPlugin(beforeEachQuery(refuseInside));

  function prepareOneOnSqlite<Row>(
    query: CompiledQuery<Row>,
    columns: readonly string[],
  ): (...parameters: readonly unknown[]) => Promise<Row | undefined> {
    let read: ReturnType<SqliteReader['prepare']> | undefined;
    return async (...parameters) => {
      refuseInside();
      const startedAt = performance.now();
      read ??= (reader ??= createSqliteReader(options.url)).prepare(query.sql);
      const values = read(parameters);
      options.onQuery?.((performance.now() - startedAt) / 1000);
      return values && (toRow(columns, values) as Row);
    };
  }

  /** Under a name, so that PostgreSQL plans it once for each connection. */
  function prepareOneOnPostgres<Row>(
    from: Pool,
    query: CompiledQuery<Row>,
  ): (...parameters: readonly unknown[]) => Promise<Row | undefined> {
    const name = createHash('sha256').update(query.sql).digest('base64url');
    return async (...parameters) => {
      refuseInside();
      const startedAt = performance.now();
      const { rows } = await from.query({ name, text: query.sql, values: [...parameters] });
      options.onQuery?.((performance.now() - startedAt) / 1000);
      return rows[0] as Row | undefined;
    };
  }

  return {
    dialect: dialectName,
    db,
    async transaction(work) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await unguarded.transaction().execute((tx) => insideTransaction.run(true, () => work(tx)));
        } catch (error) {
          if (attempt === MAX_ATTEMPTS || !isConflict(error)) throw error;
        }
      }
    },
    async withoutTimeouts(work) {
      if (dialectName === 'sqlite') return work(db);
      const lent = new Kysely<Schema>({
        dialect: postgresDialect(openPostgres({ url: options.url, poolSize: UNHURRIED_POOL_SIZE, timeLimits: false })),
      });
      try {
        return await work(lent);
      } finally {
        await lent.destroy();
      }
    },
    async withoutFlush(work) {
      refuseInside();
      if (dialectName === 'postgres') return work(db);
      return unguarded.connection().execute(async (connection) => {
        await sql`pragma synchronous = normal`.execute(connection);
        try {
          return await work(connection);
        } finally {
          await sql`pragma synchronous = full`.execute(connection);
        }
      });
    },
    prepareOne: <Row>(query: CompiledQuery<Row>, columns: readonly string[]) =>
      pool ? prepareOneOnPostgres(pool, query) : prepareOneOnSqlite<Row>(query, columns),
    async check() {
      await sql`select 1`.execute(db);
    },
    async close() {
      reader?.close();
      reader = undefined;
      await unguarded.destroy();
    },
  };
}

function beforeEachQuery(check: () => void): KyselyPlugin {
  return {
    transformQuery({ node }) {
      check();
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
}

function toRow(columns: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const [index, name] of columns.entries()) row[name] = values[index];
  return row;
}

/** Whether a transaction is to be run again. */
export function isConflict(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && RETRYABLE_SQLSTATES.has(error.code)
  );
}
