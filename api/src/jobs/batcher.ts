// Gathers small things into batches: the first one goes at once, later ones together, never two batches at a time.

export interface BatcherOptions<Batch, Item> {
  /** Adds an item to the batch that waits, if any. */
  add: (batch: Batch | undefined, item: Item) => Batch;
  /** Handles its own failures. */
  flush: (batch: Batch) => Promise<void> | void;
  /** How long an item waits at most, and how often batches go at most. */
  intervalMs: number;
}

export interface Batcher<Item> {
  add(item: Item): void;
  /** Sends what waits now; resolves when all that was sent is done. */
  flush(): Promise<void>;
}

export function createBatcher<Batch, Item>({ add, flush, intervalMs }: BatcherOptions<Batch, Item>): Batcher<Item> {
  let waiting: { batch: Batch } | undefined;
  let sentAt = -Infinity;
  let sending = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  function send(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    if (!waiting) return sending;
    const { batch } = waiting;
    waiting = undefined;
    sentAt = performance.now();
    return (sending = sending.then(() => flush(batch)));
  }

  return {
    add(item) {
      waiting = { batch: add(waiting?.batch, item) };
      timer ??= setTimeout(() => void send(), Math.max(0, sentAt + intervalMs - performance.now())).unref();
    },
    flush: send,
  };
}
