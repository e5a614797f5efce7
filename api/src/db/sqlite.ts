// SQLite through node:sqlite: opens a file with durable settings, and adapts it to Kysely.
// sqlite-reader.ts reads without Kysely; database.ts adds transactions.

import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { isDatabaseFull } from './errors.ts';
import {
  CompiledQuery,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
  type DatabaseConnection,
  type Driver,
  type SqliteDatabase,
  type SqliteStatement,
} from 'kysely';

const IN_MEMORY = ':memory:';
/** How long a statement waits for the write lock of another process, such as `berth scrub` beside the server. */
const BUSY_TIMEOUT_MS = 10_000;
/** More than the number of distinct statements in the program, list filters included. */
const STATEMENT_CACHE_SIZE = 256;
/** Page cache in KiB (negative means KiB to SQLite, https://sqlite.org/pragma.html#pragma_cache_size). */
const PAGE_CACHE_KIB = 16_384;

/** Opens a database file, or creates it with mode 0600. WAL; every commit is flushed to disk; foreign keys are on. */
export function openSqlite(file: string): DatabaseSync {
  if (file !== IN_MEMORY) createPrivateFile(file);
  const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  // Only for a new file, and before anything is written to it; see shrink.ts.
  database.exec('pragma auto_vacuum = incremental');
  database.exec(`
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma cache_size = -${PAGE_CACHE_KIB};
    pragma temp_store = memory;
  `);
  return database;
}

/** SQLite would create it with the mode of the umask. The files that it creates beside it get the mode of this one. */
export function createPrivateFile(file: string): void {
  try {
    closeSync(openSync(file, 'ax', 0o600));
  } catch {
    // It exists already; any other error shows when SQLite opens it.
  }
}

/** @param makeRoom called when the disk is full; returns whether there is more room now, to retry the statement */
export function sqliteDialect(database: DatabaseSync, makeRoom: () => boolean): SqliteDialect {
  return new NodeSqliteDialect(new NodeSqlite(database, makeRoom));
}

class NodeSqliteDialect extends SqliteDialect {
  readonly #database: NodeSqlite;

  constructor(database: NodeSqlite) {
    super({ database });
    this.#database = database;
  }

  override createDriver(): Driver {
    return new ImmediateDriver(this.#database);
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalDdlAdapter();
  }
}

/** All migrations run in one transaction, so that nothing can interrupt them half-way. Kysely's default does not. */
class TransactionalDdlAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/**
 * Begins transactions with the write lock, so that concurrent ones queue instead of failing half-way.
 *
 * SQLite itself rolls back a transaction in which the disk is full or fails. A ROLLBACK would then fail and hide the
 * cause, and further statements of the transaction would be committed one by one: both are prevented.
 */
class ImmediateDriver extends SqliteDriver {
  readonly #database: NodeSqlite;

  constructor(database: NodeSqlite) {
    super({ database });
    this.#database = database;
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
    this.#database.beginTransaction();
  }

  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await super.commitTransaction(connection);
    this.#database.endTransaction();
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    this.#database.endTransaction();
    // Also ends the transaction if it fails, and then it must not hide the cause.
    if (this.#database.isInTransaction) await super.rollbackTransaction(connection).catch(() => undefined);
  }
}

/** Adapts node:sqlite to the interface that Kysely's driver uses, with an LRU cache of prepared statements. */
class NodeSqlite implements SqliteDatabase {
  readonly #database: DatabaseSync;
  readonly #makeRoom: () => boolean;
  readonly #statements = new Map<string, SqliteStatement>();
  /** A transaction has begun and not ended here; SQLite may have rolled it back meanwhile. */
  #expectsTransaction = false;
  /** The error with which SQLite rolled back. */
  #rolledBackBy: unknown = new Error('the transaction has ended');

  constructor(database: DatabaseSync, makeRoom: () => boolean) {
    this.#database = database;
    this.#makeRoom = makeRoom;
  }

  get isInTransaction(): boolean {
    return this.#database.isTransaction;
  }

  beginTransaction(): void {
    this.#expectsTransaction = true;
  }

  endTransaction(): void {
    this.#expectsTransaction = false;
  }

  prepare(sql: string): SqliteStatement {
    const cached = this.#statements.get(sql);
    if (cached) this.#statements.delete(sql);
    const statement = cached ?? this.#wrap(this.#database.prepare(sql));
    this.#statements.set(sql, statement);
    if (this.#statements.size > STATEMENT_CACHE_SIZE) {
      for (const oldest of this.#statements.keys()) {
        this.#statements.delete(oldest);
        break;
      }
    }
    return statement;
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #wrap(statement: StatementSync): SqliteStatement {
    const reader = statement.columns().length > 0;
    return {
      reader,
      all: (parameters) => this.#run(() => statement.all(...parameters.map(toSqliteValue))),
      run: (parameters) => this.#run(() => statement.run(...parameters.map(toSqliteValue))),
      iterate: (parameters) => statement.iterate(...parameters.map(toSqliteValue)),
    };
  }

  #run<T>(execute: () => T): T {
    if (this.#expectsTransaction && !this.isInTransaction) throw this.#rolledBackBy;
    try {
      return execute();
    } catch (error) {
      if (this.#expectsTransaction) {
        if (!this.isInTransaction) this.#rolledBackBy = error;
      } else if (isDatabaseFull(error) && this.#makeRoom()) return this.#run(execute);
      throw error;
    }
  }
}

/** Converts booleans and dates, which node:sqlite cannot bind: a `Date` would silently become NULL. */
export function toSqliteValue(value: unknown): SQLInputValue {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.toISOString();
  return value as SQLInputValue;
}
