// A file beside the embedded database that holds back some space of its disk, so that deletions, which write before
// they free anything, still succeed when the disk is full.

import { statSync, truncateSync } from 'node:fs';
import { appendFile, stat, statfs } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';

export interface Reserve {
  /**
   * Gives a part back to the disk. Synchronous, so that a deletion is retried before anything else can use the space.
   * @returns false if nothing is left
   */
  release(): boolean;
  /** Fills the reserve as far as there is room, now and every minute until `close`. */
  keepFull(): void;
  /** Resolves when nothing is written any more. */
  close(): Promise<void>;
}

export interface ReserveOptions {
  path: string;
  /** Default 8 MiB. */
  sizeBytes?: number;
  /** How often a reserve that is not full is filled. Default one minute. */
  intervalMs?: number;
}

/** Enough for the write-ahead log of many deletions: SQLite starts it over after 4 MiB. */
const RESERVE_BYTES = 8 * 1024 * 1024;
/** Larger than the log of most single deletions; one that needs more gets several parts. */
const PART_BYTES = 1024 * 1024;
const INTERVAL_MS = 60_000;

/**
 * Describes a reserve without creating it. A crash at any moment leaves a shorter file, which is filled again; the
 * content means nothing.
 */
export function createReserve({ path, sizeBytes = RESERVE_BYTES, intervalMs = INTERVAL_MS }: ReserveOptions): Reserve {
  let timer: NodeJS.Timeout | undefined;
  let filling: Promise<void> | undefined;
  let isClosed = false;

  async function fill(): Promise<void> {
    // Random, since a file system that compresses would keep no space for zeros.
    let part: Buffer | undefined;
    while (!isClosed) {
      const present = await stat(path).then(
        ({ size }) => size,
        () => 0,
      );
      const missing = sizeBytes - present;
      if (missing <= 0) return;
      const { bavail, bsize } = await statfs(dirname(path));
      // As much again stays free: the reserve must not be what fills the disk.
      if (bavail * bsize < missing + sizeBytes) return;
      part ??= randomBytes(PART_BYTES);
      await appendFile(path, part.subarray(0, missing), { mode: 0o600 });
    }
  }

  /** A reserve that cannot be written is not worth an error: a later attempt may succeed. */
  function fillOnce(): void {
    filling ??= fill()
      .catch(() => undefined)
      .finally(() => {
        filling = undefined;
      });
  }

  return {
    release() {
      try {
        const { size } = statSync(path);
        if (size === 0) return false;
        truncateSync(path, Math.max(0, size - PART_BYTES));
        return true;
      } catch {
        return false;
      }
    },
    keepFull() {
      fillOnce();
      timer ??= setInterval(fillOnce, intervalMs).unref();
    },
    async close() {
      isClosed = true;
      clearInterval(timer);
      await filling;
    },
  };
}
