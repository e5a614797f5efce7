// A second connection to a SQLite file, in a thread of its own (aside-worker.ts), for queries that read many rows:
// in the main thread they would hold up every other request.

import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SqliteDialect, type CompiledQuery, type DatabaseConnection, type Driver, type QueryResult } from 'kysely';
import type { AsideAnswer, AsideQuery } from './aside-worker.ts';
import { toSqliteValue } from './sqlite.ts';

/** Beside this file, with the same extension: .ts from source, .js when compiled. */
const PROGRAM = join(import.meta.dirname, `aside-worker${extname(import.meta.filename)}`);

interface Pending {
  resolve: (result: QueryResult<never>) => void;
  reject: (error: Error) => void;
}

/** The dialect of a connection that reads only what is committed, one query after another. */
export class AsideDialect extends SqliteDialect {
  readonly #file: string;

  /** @param file an existing database */
  constructor(file: string) {
    super({ database: () => Promise.reject(new Error('the connection is in another thread')) });
    this.#file = file;
  }

  override createDriver(): Driver {
    return new AsideDriver(this.#file);
  }
}

/** Starts the thread with the first query, and another one after a crash. */
class AsideDriver implements Driver {
  readonly #file: string;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #isClosed = false;
  #lastId = 0;

  constructor(file: string) {
    this.#file = file;
  }

  async init(): Promise<void> {
    /* the first query starts the thread */
  }

  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve({
      executeQuery: (query) => this.#execute(query),
      streamQuery: () => {
        throw new Error('queries aside are not streamed');
      },
    });
  }

  async releaseConnection(): Promise<void> {
    /* all queries share the thread */
  }

  beginTransaction(): Promise<void> {
    return Promise.reject(new Error('there are no transactions aside'));
  }

  commitTransaction(): Promise<void> {
    return this.beginTransaction();
  }

  rollbackTransaction(): Promise<void> {
    return this.beginTransaction();
  }

  async destroy(): Promise<void> {
    this.#isClosed = true;
    const worker = this.#worker;
    this.#end(worker, closed());
    await worker?.terminate();
  }

  #execute<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    if (this.#isClosed) return Promise.reject(closed());
    const worker = (this.#worker ??= this.#start());
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve, reject });
      worker.postMessage({ id, sql, parameters: parameters.map(toSqliteValue) } satisfies AsideQuery);
    });
  }

  #start(): Worker {
    const worker = new Worker(PROGRAM, { execArgv: [], workerData: this.#file });
    worker.unref();
    worker.on('message', ({ id, rows, error }: AsideAnswer) => {
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (error) pending?.reject(Object.assign(new Error(error.message), error));
      else pending?.resolve({ rows: rows as never[] });
    });
    worker.on('error', (error: Error) => {
      this.#end(worker, error);
    });
    return worker;
  }

  #end(worker: Worker | undefined, reason: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }
}

function closed(): Error {
  return new Error('the database was closed');
}
