import { setTimeout as sleep } from 'node:timers/promises';

export interface InBatchesOptions {
  /** Stops between two batches. */
  signal: AbortSignal;
  /** Rows per batch. Default 500. */
  batchSize?: number;
  /** Called after each batch with the number of rows so far. */
  onProgress?: (rows: number) => void;
}

const BATCH_SIZE = 500;
/** Lets other writers in. */
const PAUSE_MS = 20;

/**
 * Repeats a change of at most `limit` rows until it finds fewer, so that no transaction is long. Returns how many rows
 * were changed.
 * @throws the signal's reason
 */
export async function inBatches(
  change: (limit: number) => Promise<number>,
  { signal, batchSize = BATCH_SIZE, onProgress }: InBatchesOptions,
): Promise<number> {
  for (let rows = 0; ;) {
    signal.throwIfAborted();
    const changed = await change(batchSize);
    rows += changed;
    if (changed < batchSize) return rows;
    onProgress?.(rows);
    await sleep(PAUSE_MS);
  }
}
