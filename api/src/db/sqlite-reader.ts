// A second connection to a SQLite file that only reads, past Kysely: for the few queries that are asked all the time.

import { DatabaseSync } from 'node:sqlite';
import { toSqliteValue } from './sqlite.ts';

export interface SqliteReader {
  /** Compiles a query for one row; what it returns runs it, and gives the row's values in the order of its columns. */
  prepare(sql: string): (parameters: readonly unknown[]) => unknown[] | undefined;
  /** Lets the next query see what was committed since the last one. */
  refresh(): void;
  close(): void;
}

/** Read through the system's own page cache, without a copy: a third less time than through one of our own. */
const MAP_BYTES = 256 * 1024 * 1024;
/** As for writers; a reader waits only while the file is recovered after a crash. */
const BUSY_TIMEOUT_MS = 10_000;

/**
 * Opens a reader of a file that is there, with its tables. It never sees what is not committed, and waits for no
 * transaction.
 *
 * All queries of one turn of the event loop share one snapshot, which saves the system calls that lock and unlock the
 * file: a third of a query's time. `refresh` ends the snapshot early. /
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
      // Objects would get the names of their columns anew each time.
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
