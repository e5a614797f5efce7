// Removes what nobody refers to: blobs without a slot, writers that died, objects that no row names. What protects
// an upload that is under way: docs/decisions/0013-blobs-are-marked-before-they-are-swept.md.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { batches, type Database, type Tx } from '../db/index.ts';
import type { BlobDeleteOptions, BlobStore, StoredBlob } from './blob-store.ts';
import { sweepRepository, type Unreferenced } from './sweep-repository.ts';

export interface SweepCounts {
  /** Blobs that no slot has referred to for the grace period. */
  removedBlobs: number;
  /** Objects of the storage that neither a blob nor a writer has, unfinished ones too. */
  removedObjects: number;
  /** Uploads whose process died. */
  endedUploads: number;
  /** Bytes of all that was removed; of unfinished objects a lower bound where the storage does not tell. */
  freedBytes: number;
}

export interface SweepProgress extends SweepCounts {
  phase: 'blobs' | 'objects';
  checkedBlobs: number;
  checkedObjects: number;
}

export interface SweepResult extends SweepCounts {
  dryRun: boolean;
  checkedBlobs: number;
  checkedObjects: number;
  /** Of a dry run: digests of the blobs that would go, 1,000 at most. */
  digests?: string[];
}

export interface SweepOptions {
  database: Database;
  store: BlobStore;
  /**
   * How long something must have been wanted by nobody. 0 removes it at once, and a download that began before may
   * fail.
   */
  graceMs: number;
}

export interface SweepRun {
  signal?: AbortSignal;
  onProgress?: (progress: SweepProgress) => void;
  /** Asserts inside each transaction that this sweep is still the only one. */
  assertHeld?: (tx: Tx) => Promise<void>;
}

export interface Sweep {
  /** Sweeps; the caller holds the lease. @throws storage_unavailable, lease_lost; the signal's reason */
  run(run?: SweepRun): Promise<SweepResult>;
  /** Tells what a sweep would remove now, and changes nothing. @throws storage_unavailable */
  dryRun(run?: Pick<SweepRun, 'signal' | 'onProgress'>): Promise<SweepResult>;
}

/**
 * Without a beat for so long a writer is dead, however short the grace is: it beats every 30 s while bytes arrive, a
 * client that sends none is cut off after 2 minutes, and completing a large object may take some more. /
 */
const MIN_WRITER_SILENCE_MS = 10 * 60_000;
/** Rows that one statement looks at: some milliseconds, in which SQLite serves nobody else. */
const WINDOW_BLOBS = 1_000;
/** Rows that one transaction locks. */
const BATCH = 200;
/** Objects that are deleted at once; a storage over the network takes some milliseconds for each. */
const DELETIONS_AT_ONCE = 8;
const MAX_LISTED_DIGESTS = 1_000;

export function createSweep({ database, store, graceMs }: SweepOptions): Sweep {
  const rows = sweepRepository(database.db, database.dialect);
  const silenceMs = Math.max(graceMs, MIN_WRITER_SILENCE_MS);

  async function sweep({ signal, onProgress, assertHeld }: SweepRun, dryRun: boolean): Promise<SweepResult> {
    let phase: SweepProgress['phase'] = 'blobs';
    const progress = {
      checkedBlobs: 0,
      checkedObjects: 0,
      removedBlobs: 0,
      removedObjects: 0,
      endedUploads: 0,
      freedBytes: 0,
    };
    const digests: string[] = [];
    /** Between two batches: others have their turn, and a sweep that must stop does. */
    const pause = async () => {
      onProgress?.({ phase, ...progress });
      await nextTurn();
      signal?.throwIfAborted();
    };
    const inTransaction = <T>(work: (tx: Tx) => Promise<T>) =>
      database.transaction(async (tx) => {
        await assertHeld?.(tx);
        return work(tx);
      });
    const count = (gone: readonly Unreferenced[]) => {
      progress.removedBlobs += gone.length;
      progress.freedBytes += gone.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      if (dryRun) digests.push(...gone.slice(0, MAX_LISTED_DIGESTS - digests.length).map(({ digest }) => digest));
    };

    async function markBlobs(): Promise<void> {
      for (let after = ''; ;) {
        const window = await rows.endOfWindow(after, WINDOW_BLOBS);
        if (!window) return;
        const unreferenced = await rows.listNewlyUnreferenced(after, window.last);
        // Without a grace period they would go at once.
        if (dryRun && graceMs === 0) count(unreferenced);
        for (const batch of dryRun ? [] : batches(unreferenced, BATCH)) {
          const marked = batch.map(({ digest }) => digest);
          await inTransaction(async (tx) => {
            const inside = sweepRepository(tx, database.dialect);
            await inside.lock(marked);
            await inside.markUnreferenced(marked);
          });
        }
        progress.checkedBlobs += window.count;
        after = window.last;
        await pause();
      }
    }

    async function removeBlobs(): Promise<void> {
      for (let after = ''; ;) {
        const expired = await rows.listExpired(after, graceMs, BATCH);
        const last = expired.at(-1);
        if (!last) return;
        after = last.digest;
        if (dryRun) {
          count(expired);
        } else {
          const removed = await inTransaction(async (tx) => {
            const inside = sweepRepository(tx, database.dialect);
            const marked = expired.map(({ digest }) => digest);
            await inside.lock(marked);
            return inside.deleteUnreferenced(marked, graceMs);
          });
          count(removed);
          // After the commit: a crash in between leaves objects that no row names, which a later sweep finds.
          await deleteObjects(
            store,
            removed.map(({ storageKey }) => storageKey),
            { isFinished: true },
          );
        }
        await pause();
      }
    }

    /** Returns the keys of writers that a dry run would have ended. */
    async function endUploads(): Promise<Set<string>> {
      if (dryRun) {
        const dead = await rows.listDeadWriters(silenceMs, Number.MAX_SAFE_INTEGER);
        progress.endedUploads = dead.length;
        return new Set(dead);
      }
      for (;;) {
        const dead = await rows.listDeadWriters(silenceMs, BATCH);
        if (dead.length === 0) return new Set();
        const ended = await inTransaction((tx) =>
          sweepRepository(tx, database.dialect).endDeadWriters(dead, silenceMs),
        );
        progress.endedUploads += ended.length;
        await pause();
      }
    }

    async function removeObjects(ended: Set<string>): Promise<void> {
      phase = 'objects';
      const newest = Date.now() - graceMs;
      for await (const listed of batchesOf(store.list(), BATCH)) {
        progress.checkedObjects += listed.length;
        const old = listed.filter(({ modifiedAt }) => modifiedAt.getTime() <= newest);
        if (old.length > 0) {
          // Asked after they were listed: the row of a writer is there before its object, so whatever has none now
          // never will.
          const wanted = new Set(await rows.listWanted(old.map(({ key }) => key)));
          const gone = old.filter(({ key }) => !wanted.has(key) || ended.has(key));
          progress.removedObjects += gone.length;
          progress.freedBytes += gone.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
          if (!dryRun)
            await deleteObjects(
              store,
              gone.map(({ key }) => key),
            );
        }
        await pause();
      }
    }

    await markBlobs();
    await removeBlobs();
    await removeObjects(await endUploads());
    return { dryRun, ...progress, ...(dryRun && { digests }) };
  }

  return {
    run: (run = {}) => sweep(run, false),
    dryRun: (run = {}) => sweep(run, true),
  };
}

async function deleteObjects(store: BlobStore, keys: readonly string[], options?: BlobDeleteOptions): Promise<void> {
  for (const batch of batches(keys, DELETIONS_AT_ONCE)) {
    await Promise.all(batch.map((key) => store.delete(key, options)));
  }
}

async function* batchesOf(items: AsyncIterable<StoredBlob>, size: number): AsyncGenerator<StoredBlob[]> {
  let batch: StoredBlob[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
