// Small transactions of many that may wait a moment, flushed to the disk together.

import type { Database, Tx } from './database.ts';

export interface GroupOptions {
  /** Works that are run without waiting for more. Default 32. */
  enough?: number;
  /** How long the first one waits for others. Default 20 ms. */
  patienceMs?: number;
}

interface Work {
  run: (tx: Tx) => Promise<unknown>;
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

/**
 * Makes a `transaction` that runs the works of several callers, one after another, in one transaction of the database. What it promises
 * its caller is the same: the work is committed, or it failed and left nothing. A work may run more often than once, and each of a group
 * that fails runs again by itself, as nobody can tell the others' changes from its.
 */
export function groupTransactions(database: Pick<Database, 'transaction'>, { enough = 32, patienceMs = 20 }: GroupOptions = {}): Pick<Database, 'transaction'> {
  let waiting: Work[] = [];
  let timer: NodeJS.Timeout | undefined;

  async function runAll(works: readonly Work[]): Promise<void> {
    try {
      const results = await database.transaction(async (tx) => {
        const given: unknown[] = [];
        for (const { run } of works) given.push(await run(tx));
        return given;
      });
      for (const [index, { resolve }] of works.entries()) resolve(results[index]);
    } catch (error) {
      if (works.length === 1) works[0]?.reject(error);
      else for (const work of works) await runAll([work]);
    }
  }

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const works = waiting;
    waiting = [];
    void runAll(works);
  }

  return {
    transaction: <T>(work: (tx: Tx) => Promise<T>) => new Promise<T>((resolve, reject) => {
      waiting.push({ run: work, resolve: resolve as Work['resolve'], reject });
      if (waiting.length >= enough) flush();
      else timer ??= setTimeout(flush, patienceMs);
    }),
  };
}
