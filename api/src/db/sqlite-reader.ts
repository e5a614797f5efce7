// A read-only SQLite connection for the most frequent queries, which bypasses Kysely.

import { DatabaseSync } from 'node:sqlite';
import { toSqliteValue } from './sqlite.ts';

export interface SqliteReader {
  /** Compiles a single-row query; the returned function runs it and returns the row's values in column order. */
  prepare(sql: string): (parameters: readonly unknown[]) => unknown[] | undefined;
  /** Ends the snapshot, so that the next query sees everything committed since. */
  refresh(): void;
  close(): void;
}

/** Memory-mapped reads need no copy: a third less time than with SQLite's own page cache. */
const MAP_BYTES = 256 * 1024 * 1024;
/** As for writers; a reader waits only while SQLite recovers the file after a crash. */
const BUSY_TIMEOUT_MS = 10_000;

/**
 * Opens a reader of an existing file. It sees only committed data and never waits for a transaction.
 *
 * All queries in one turn of the event loop share a snapshot, which saves the system calls that lock and unlock the
 * file: a third of a query's time. `refresh` ends the snapshot early.
 */
export function createSqliteReader(file: string): SqliteReader {
  const database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, readOnly: true });
  database.exec(`pragma mmap_size = ${MAP_BYTES}`);
  const begin = database.prepare('begin');
  const end = database.prepare('commit');
  let inSnapshot = false;

  function refresh(): void {
    if (!inSnapshot) return;
    inSnapshot = false;
    end.run();
  }

  return {
    prepare(sql) {
      const statement = database.prepare(sql);
      // Arrays are cheaper: node:sqlite creates the property names anew for every object.
      statement.setReturnArrays(true);
      return (parameters) => {
        if (!inSnapshot) {
          begin.run();
          inSnapshot = true;
          setImmediate(refresh);
        }
        return statement.get(...parameters.map(toSqliteValue)) as unknown[] | undefined;
      };
    },
    refresh,
    close() {
      refresh();
      database.close();
    },
  };
}
