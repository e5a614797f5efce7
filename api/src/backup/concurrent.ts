/** Blobs that are copied at once, by the memory that they take: 32 up to 1 MiB, 4 from 8 MiB. */
export const BLOB_LIMIT = { total: 32, weightOf: ({ sizeBytes }: { sizeBytes: number }) => weightOf(sizeBytes) };
const MAX_BLOB_WEIGHT = 8;

/** In MiB. A copy of a larger blob buffers a part of it only. */
function weightOf(sizeBytes: number): number {
  return Math.min(Math.max(Math.ceil(sizeBytes / 1024 ** 2), 1), MAX_BLOB_WEIGHT);
}

export interface Limit<T> {
  /** Of the weights of the items that are processed at the same time. */
  total: number;
  weightOf: (item: T) => number;
}

/**
 * Processes the items of an iterable, as many at a time as the limit allows, and waits for all of them. After a
 * failure no further item is started, and the first error is thrown once the running ones have ended.
 */
export async function forEachConcurrently<T>(
  items: AsyncIterable<T> | Iterable<T>,
  { total, weightOf }: Limit<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let weight = 0;
  const failures: unknown[] = [];
  for await (const item of items) {
    const itemWeight = weightOf(item);
    while (running.size > 0 && weight + itemWeight > total) await Promise.race(running);
    if (failures.length > 0) break;
    weight += itemWeight;
    const task = work(item)
      .catch((error: unknown) => {
        failures.push(error);
      })
      .finally(() => {
        running.delete(task);
        weight -= itemWeight;
      });
    running.add(task);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}
