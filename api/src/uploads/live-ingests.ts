// Cache of hash and scanner states of uploads between two requests. A cached upload needs no bytes read back.

import type { Ingest } from '../artefacts/index.ts';

export interface LiveIngests {
  /** Caches a suspended ingest for ten minutes. The least recently cached one is evicted when the cache is full. */
  keep(id: string, ingest: Ingest): void;
  /** Removes an ingest from the cache and returns it; undefined if it is not cached. */
  take(id: string): Ingest | undefined;
  readonly count: number;
  /** Evicts everything. */
  close(): void;
}

/** Each holds a hash and, for tarballs, an inflater, whose memory is outside the JavaScript heap. */
const MAX_INGESTS = 32;
/** Scanners hold a file index; a tarball may have 200,000 files. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;
const TTL_MS = 10 * 60_000;

export function createLiveIngests(): LiveIngests {
  const cache = new Map<string, { ingest: Ingest; heldBytes: number; timer: NodeJS.Timeout }>();
  let heldBytes = 0;

  function take(id: string): Ingest | undefined {
    const entry = cache.get(id);
    if (!entry) return undefined;
    clearTimeout(entry.timer);
    cache.delete(id);
    heldBytes -= entry.heldBytes;
    return entry.ingest;
  }
  const evict = (id: string) => {
    take(id)?.forget();
  };

  return {
    take,
    keep(id, ingest) {
      evict(id);
      const entry = {
        ingest,
        heldBytes: ingest.heldBytes,
        timer: setTimeout(() => {
          evict(id);
        }, TTL_MS).unref(),
      };
      cache.set(id, entry);
      heldBytes += entry.heldBytes;
      for (const oldest of cache.keys()) {
        if (cache.size <= MAX_INGESTS && heldBytes <= MAX_HELD_BYTES) break;
        evict(oldest);
      }
    },
    get count() {
      return cache.size;
    },
    close() {
      for (const id of [...cache.keys()]) evict(id);
    },
  };
}
