// Batches items: the first is flushed immediately, later ones together after an interval. Flushes never overlap.

export interface BatcherOptions<Batch, Item> {
  /** Adds an item to the pending batch, if any. */
  add: (batch: Batch | undefined, item: Item) => Batch;
  /** Must handle its own failures. */
  flush: (batch: Batch) => Promise<void> | void;
  /** Longest wait of an item, and shortest time between two flushes. */
  intervalMs: number;
}

export interface Batcher<Item> {
  add(item: Item): void;
  /** Flushes the pending batch now; resolves when every flush has finished. */
  flush(): Promise<void>;
}

export function createBatcher<Batch, Item>({ add, flush, intervalMs }: BatcherOptions<Batch, Item>): Batcher<Item> {
  let pending: { batch: Batch } | undefined;
  let flushedAt = -Infinity;
  let flushing = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  function flushPending(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (!pending) return flushing;
    const { batch } = pending;
    pending = undefined;
    flushedAt = performance.now();
    return (flushing = flushing.then(() => flush(batch)));
  }

  return {
    add(item) {
      pending = { batch: add(pending?.batch, item) };
      timer ??= setTimeout(() => void flushPending(), Math.max(0, flushedAt + intervalMs - performance.now())).unref();
    },
    flush: flushPending,
  };
}
