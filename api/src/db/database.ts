// Database access: one Kysely instance per process, transactions with retries, and a guard against using the database
// inside its own transaction. Dialects live in sqlite.ts and postgres.ts, tables in schema.ts.

import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Pool } from 'pg';
import { Kysely, sql, type CompiledQuery, type KyselyPlugin, type Transaction } from 'kysely';
import { withCleanUp } from '../errors.ts';
import { AsideDialect } from './aside.ts';
import { isDatabaseFull } from './errors.ts';
import { openPostgres, postgresDialect } from './postgres.ts';
import { createReserve } from './reserve.ts';
import { createSqliteReader, type SqliteReader } from './sqlite-reader.ts';
import { openSqlite, sqliteDialect } from './sqlite.ts';
import type { Schema } from './schema.ts';

export type DialectName = 'sqlite' | 'postgres';
/** The argument of every repository: the database, or a transaction. */
export type Executor = Kysely<Schema>;
export type Tx = Transaction<Schema>;

export interface Database {
  readonly dialect: DialectName;
  /** For statements outside a transaction. Throws inside one: build the repository from `tx` instead. */
  readonly db: Executor;
  /**
   * For queries that read many rows, such as counts: on SQLite in a thread of its own, one after another, so that they
   * hold up nothing else; on PostgreSQL the same as `db`. Only reads, and only what is committed.
   */
  readonly aside: Executor;
  /** Runs SQL only (no I/O, no hashing) in one transaction; retries serialisation conflicts up to 3 times. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /**
   * Runs slow work, such as migrations, without time limits: on separate connections with PostgreSQL, on `db` with
   * SQLite.
   */
  withoutTimeouts<T>(work: (db: Executor) => Promise<T>): Promise<T>;
  /**
   * Runs statements that may be lost in a power failure. On SQLite their commit does not wait for the disk; the next
   * transaction makes them durable. On PostgreSQL, which flushes many commits together, they run on `db`.
   */
  withoutFlush<T>(work: (db: Executor) => Promise<T>): Promise<T>;
  /**
   * Prepares a frequent single-row query for use outside of transactions. On SQLite it runs on a separate read-only
   * connection and bypasses Kysely, whose overhead is several times the time that SQLite needs.
   * @param query only the number of its parameters matters, not their values
   * @param columns names of the selected columns, in order
   */
  prepareOne<Row>(
    query: CompiledQuery<Row>,
    columns: readonly (keyof Row & string)[],
  ): (...parameters: readonly unknown[]) => Promise<Row | undefined>;
  /**
   * Runs work that deletes, or leads to deletions. When the disk of an embedded database is full, its statements and
   * transactions get a part of the reserve and are tried again.
   */
  makingRoom<T>(work: () => T): T;
  /** Keeps the reserve of an embedded database full until `close`. Only the server does: it needs room. */
  keepReserve(): void;
  /** Gives free pages of a SQLite file back, in one transaction; see shrink.ts. */
  vacuum(pages: number): Promise<void>;
  /** The connections of the pool to PostgreSQL, and the statements that wait for one; undefined with SQLite. */
  pool(): PoolState | undefined;
  /** Throws if the database does not answer. */
  check(): Promise<void>;
  close(): Promise<void>;
}

export interface PoolState {
  used: number;
  idle: number;
  max: number;
  waiting: number;
}

export interface DatabaseOptions {
  /** `postgres://…`, see PostgresOptions, or the path of a SQLite file. */
  url: string;
  /** Maximum number of connections to PostgreSQL. Default 20. */
  poolSize?: number | undefined;
  /** Called after each query with its duration in seconds. */
  onQuery?: (seconds: number) => void;
  /** Path of the reserve of a SQLite file, see `makingRoom`. Default: none. */
  reserve?: string | undefined;
}

const MAX_ATTEMPTS = 4;
const UNLIMITED_POOL_SIZE = 2;
/** serialization_failure and deadlock_detected (https://www.postgresql.org/docs/current/errcodes-appendix.html). */
const RETRYABLE_SQLSTATES = new Set(['40001', '40P01']);

/** Opens the database. A process must open a SQLite file only once. */
export function createDatabase(options: DatabaseOptions): Database {
  const dialectName: DialectName = /^postgres(ql)?:/.test(options.url) ? 'postgres' : 'sqlite';
  let reader: SqliteReader | undefined;
  const pool = dialectName === 'postgres' ? openPostgres(options) : undefined;
  let sqlite: DatabaseSync | undefined;
  const reserve = pool || options.reserve === undefined ? undefined : createReserve({ path: options.reserve });
  const insideMakingRoom = new AsyncLocalStorage<true>();
  const makeRoom = () => insideMakingRoom.getStore() === true && reserve?.release() === true;
  const unguarded = new Kysely<Schema>({
    dialect: pool ? postgresDialect(pool) : sqliteDialect((sqlite = openSqlite(options.url)), makeRoom),
    log: ({ queryDurationMillis }) => {
      reader?.refresh();
      options.onQuery?.(queryDurationMillis / 1000);
    },
  });
  const insideTransaction = new AsyncLocalStorage<true>();
  /** Inside a transaction, a query on another connection would deadlock with it, or not see its writes. */
  const assertOutsideTransaction = () => {
    if (insideTransaction.getStore())
      throw new Error('the database was used inside a transaction: build the repository from tx');
  };
  const db = unguarded.withPlugin(beforeEachQuery(assertOutsideTransaction));
  const aside =
    dialectName === 'postgres'
      ? db
      : new Kysely<Schema>({
          dialect: new AsideDialect(options.url),
          log: ({ queryDurationMillis }) => options.onQuery?.(queryDurationMillis / 1000),
        }).withPlugin(beforeEachQuery(assertOutsideTransaction));

  function prepareOneOnSqlite<Row>(
    query: CompiledQuery<Row>,
    columns: readonly string[],
  ): (...parameters: readonly unknown[]) => Promise<Row | undefined> {
    let read: ReturnType<SqliteReader['prepare']> | undefined;
    return async (...parameters) => {
      assertOutsideTransaction();
      const startedAt = performance.now();
      read ??= (reader ??= createSqliteReader(options.url)).prepare(query.sql);
      const values = read(parameters);
      options.onQuery?.((performance.now() - startedAt) / 1000);
      return values && (toRow(columns, values) as Row);
    };
  }

  /** The statement is named, so that PostgreSQL plans it once per connection. */
  function prepareOneOnPostgres<Row>(
    connections: Pool,
    query: CompiledQuery<Row>,
  ): (...parameters: readonly unknown[]) => Promise<Row | undefined> {
    const name = createHash('sha256').update(query.sql).digest('base64url');
    return async (...parameters) => {
      assertOutsideTransaction();
      const startedAt = performance.now();
      const { rows } = await connections.query({ name, text: query.sql, values: [...parameters] });
      options.onQuery?.((performance.now() - startedAt) / 1000);
      return rows[0] as Row | undefined;
    };
  }

  return {
    dialect: dialectName,
    db,
    aside,
    async transaction(work) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await unguarded.transaction().execute((tx) => insideTransaction.run(true, () => work(tx)));
        } catch (error) {
          if (isDatabaseFull(error) && makeRoom()) continue;
          if (attempt >= MAX_ATTEMPTS || !isConflict(error)) throw error;
        }
      }
    },
    async withoutTimeouts(work) {
      if (dialectName === 'sqlite') return work(db);
      const unlimited = new Kysely<Schema>({
        dialect: postgresDialect(openPostgres({ url: options.url, poolSize: UNLIMITED_POOL_SIZE, timeLimits: false })),
      });
      return withCleanUp(
        () => work(unlimited),
        () => unlimited.destroy(),
      );
    },
    async withoutFlush(work) {
      assertOutsideTransaction();
      if (dialectName === 'postgres') return work(db);
      return unguarded.connection().execute(async (connection) => {
        await sql`pragma synchronous = normal`.execute(connection);
        return withCleanUp(
          () => work(connection),
          () => sql`pragma synchronous = full`.execute(connection),
        );
      });
    },
    prepareOne: <Row>(query: CompiledQuery<Row>, columns: readonly string[]) =>
      pool ? prepareOneOnPostgres(pool, query) : prepareOneOnSqlite<Row>(query, columns),
    makingRoom: (work) => insideMakingRoom.run(true, work),
    keepReserve() {
      reserve?.keepFull();
    },
    vacuum: (pages) =>
      // Kysely would only begin the statement, which has no result. Alone, as no transaction may be open.
      unguarded.connection().execute(async () => {
        sqlite?.exec(`pragma incremental_vacuum(${pages})`);
        reader?.refresh();
      }),
    pool: () =>
      pool && {
        used: pool.totalCount - pool.idleCount,
        idle: pool.idleCount,
        max: pool.options.max,
        waiting: pool.waitingCount,
      },
    async check() {
      await sql`select 1`.execute(db);
    },
    async close() {
      await reserve?.close();
      reader?.close();
      reader = undefined;
      if (aside !== db) await aside.destroy();
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

/** Whether a transaction failed in a way that a retry may resolve. */
export function isConflict(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && typeof error.code === 'string' && RETRYABLE_SQLSTATES.has(error.code)
  );
}
