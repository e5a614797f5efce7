// Hashes and scanners of uploads that wait for their next request: while they live, nothing has to be read back.

import type { Ingest } from '../artefacts/index.ts';

export interface LiveIngests {
  /**
   * Keeps what a suspended ingest knows, for ten minutes and as long as there is room; the least recently kept goes
   * first.
   */
  keep(id: string, ingest: Ingest): void;
  /** Takes it out, if it is still there. */
  take(id: string): Ingest | undefined;
  /** How many there are. */
  readonly count: number;
  close(): void;
}

/** Each holds a hash, and of a tarball an inflater, whose memory is outside of the heap. */
const MAX_INTAKES = 32;
/** Scanners hold the index of their files, of which one tarball may have 200,000. */
const MAX_HELD_BYTES = 64 * 1024 * 1024;
const KEPT_MS = 10 * 60_000;

export function createLiveIngests(): LiveIngests {
  const kept = new Map<string, { ingest: Ingest; heldBytes: number; timer: NodeJS.Timeout }>();
  let heldBytes = 0;

  function take(id: string): Ingest | undefined {
    const found = kept.get(id);
    if (!found) return undefined;
    clearTimeout(found.timer);
    kept.delete(id);
    heldBytes -= found.heldBytes;
    return found.ingest;
  }
  const forget = (id: string) => {
    take(id)?.forget();
  };

  return {
    take,
    keep(id, ingest) {
      forget(id);
      const entry = {
        ingest,
        heldBytes: ingest.heldBytes,
        timer: setTimeout(() => {
          forget(id);
        }, KEPT_MS).unref(),
      };
      kept.set(id, entry);
      heldBytes += entry.heldBytes;
      for (const oldest of kept.keys()) {
        if (kept.size <= MAX_INTAKES && heldBytes <= MAX_HELD_BYTES) break;
        forget(oldest);
      }
    },
    get count() {
      return kept.size;
    },
    close() {
      for (const id of [...kept.keys()]) forget(id);
    },
  };
}
