// Small commits of many that may wait a moment, made and flushed to the disk together.

import type { Database, Tx } from './database.ts';

export interface GroupOptions<Order> {
  database: Pick<Database, 'transaction'>;
  /** Commits one order or several; may run more often than once for each. */
  commitAll: (tx: Tx, orders: readonly Order[]) => Promise<void>;
  /** Orders that are committed without waiting for more. Default 32. */
  enough?: number;
  /** How long the first one waits for others. Default 20 ms. */
  patienceMs?: number;
}

interface Waiting<Order> extends PromiseWithResolvers<void> { order: Order }

/**
 * Makes a function that commits orders of several callers in one transaction, with statements over all of them. What it promises each
 * caller is the same as alone: the order is committed, or it failed and left nothing. Each of a group that fails is committed again by
 * itself, as nobody can tell which of them was at fault.
 */
export function groupCommits<Order>({ database, commitAll, enough = 32, patienceMs = 20 }: GroupOptions<Order>): (order: Order) => Promise<void> {
  let waiting: Waiting<Order>[] = [];
  let timer: NodeJS.Timeout | undefined;

  async function commit(group: readonly Waiting<Order>[]): Promise<void> {
    try {
      await database.transaction((tx) => commitAll(tx, group.map(({ order }) => order)));
      for (const { resolve } of group) resolve();
    } catch (error) {
      if (group.length === 1) group[0]?.reject(error);
      else for (const one of group) await commit([one]);
    }
  }

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const group = waiting;
    waiting = [];
    void commit(group);
  }

  return (order) => {
    const one = { order, ...Promise.withResolvers<void>() };
    waiting.push(one);
    if (waiting.length >= enough) flush();
    else timer ??= setTimeout(flush, patienceMs);
    return one.promise;
  };
}
