// Keys for uploads of which many begin at about the same time: their rows are written together.

import { createStorageKey } from './blob-store.ts';
import type { BlobRepository } from './repository.ts';

/** How long the first one waits for others, and how many are enough. */
const PATIENCE_MS = 5;
const ENOUGH = 16;

interface Order extends PromiseWithResolvers<string> { key: string }

/** Makes a function as Blobs.reserve. */
export function createReservation(rows: Pick<BlobRepository, 'beginWriters'>): () => Promise<string> {
  let waiting: Order[] = [];
  let timer: NodeJS.Timeout | undefined;

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const orders = waiting;
    waiting = [];
    try {
      await rows.beginWriters(orders.map(({ key }) => key));
      for (const { key, resolve } of orders) resolve(key);
    } catch (error) {
      for (const { reject } of orders) reject(error);
    }
  }

  return () => {
    const order = { key: createStorageKey(), ...Promise.withResolvers<string>() };
    waiting.push(order);
    if (waiting.length >= ENOUGH) void flush();
    else timer ??= setTimeout(() => void flush(), PATIENCE_MS);
    return order.promise;
  };
}
