// Garbage collection: deletes unreferenced blobs, stale uploads and orphaned storage objects.
// How uploads in progress are protected: docs/decisions/0013-mark-before-sweep.md.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { batches, type Database, type Tx } from '../db/index.ts';
import type { BlobDeleteOptions, BlobStore, StoredBlob } from './blob-store.ts';
import { sweepRepository, type UnreferencedBlob } from './sweep-repository.ts';

export interface SweepCounts {
  /** Blobs that no slot has referred to for longer than the grace period. */
  removedBlobs: number;
  /** Storage objects that belong to neither a blob nor a writer, including unfinished ones. */
  removedObjects: number;
  /** Uploads whose process died. */
  endedUploads: number;
  /** Bytes removed; a lower bound if the storage does not report the size of unfinished objects. */
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
  /** In a dry run: digests of the blobs that would be removed, at most 1,000. */
  digests?: string[];
}

export interface SweepOptions {
  database: Database;
  store: BlobStore;
  /**
   * How long something must have been unreferenced. 0 removes it at once; a download already in progress may then
   * fail.
   */
  graceMs: number;
}

export interface SweepRun {
  signal?: AbortSignal;
  onProgress?: (progress: SweepProgress) => void;
  /** Checks the fencing token of the lease; called inside each transaction. */
  assertHeld?: (tx: Tx) => Promise<void>;
}

export interface Sweep {
  /** Runs a sweep; the caller holds the lease. @throws storage_unavailable, lease_lost; the signal's reason */
  run(run?: SweepRun): Promise<SweepResult>;
  /** Reports what a sweep would remove now, without changing anything. @throws storage_unavailable */
  dryRun(run?: Pick<SweepRun, 'signal' | 'onProgress'>): Promise<SweepResult>;
}

/**
 * A writer without a heartbeat for this long is stale, however short the grace period is. It sends one every 30 s
 * while bytes arrive, an idle client is disconnected after 2 minutes, and completing a large object may take a while
 * longer.
 */
const MIN_WRITER_TIMEOUT_MS = 10 * 60_000;
/** Rows that one statement scans: a few milliseconds, during which SQLite serves nothing else. */
const WINDOW_BLOBS = 1_000;
/** Rows that one transaction locks. */
const BATCH_SIZE = 200;
/** Concurrent deletions; a remote storage takes a few milliseconds for each. */
const DELETE_CONCURRENCY = 8;
const MAX_LISTED_DIGESTS = 1_000;

export function createSweep({ database, store, graceMs }: SweepOptions): Sweep {
  const rows = sweepRepository(database.db, database.dialect);
  const writerTimeoutMs = Math.max(graceMs, MIN_WRITER_TIMEOUT_MS);

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
    /** Runs between two batches: reports progress, yields to other work and stops an aborted sweep. */
    const endBatch = async () => {
      onProgress?.({ phase, ...progress });
      await nextTurn();
      signal?.throwIfAborted();
    };
    const inTransaction = <T>(work: (tx: Tx) => Promise<T>) =>
      database.transaction(async (tx) => {
        await assertHeld?.(tx);
        return work(tx);
      });
    const countBlobs = (removed: readonly UnreferencedBlob[]) => {
      progress.removedBlobs += removed.length;
      progress.freedBytes += removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      if (dryRun) digests.push(...removed.slice(0, MAX_LISTED_DIGESTS - digests.length).map(({ digest }) => digest));
    };

    async function markBlobs(): Promise<void> {
      for (let after = ''; ;) {
        const window = await rows.endOfWindow(after, WINDOW_BLOBS);
        if (!window) return;
        const unreferenced = await rows.listNewlyUnreferenced(after, window.last);
        // Without a grace period a sweep would remove them at once.
        if (dryRun && graceMs === 0) countBlobs(unreferenced);
        for (const batch of dryRun ? [] : batches(unreferenced, BATCH_SIZE)) {
          const batchDigests = batch.map(({ digest }) => digest);
          await inTransaction(async (tx) => {
            const locked = sweepRepository(tx, database.dialect);
            await locked.lock(batchDigests);
            await locked.markUnreferenced(batchDigests);
          });
        }
        progress.checkedBlobs += window.count;
        after = window.last;
        await endBatch();
      }
    }

    async function removeBlobs(): Promise<void> {
      for (let after = ''; ;) {
        const expired = await rows.listExpired(after, graceMs, BATCH_SIZE);
        const last = expired.at(-1);
        if (!last) return;
        after = last.digest;
        if (dryRun) {
          countBlobs(expired);
        } else {
          const removed = await inTransaction(async (tx) => {
            const locked = sweepRepository(tx, database.dialect);
            const batchDigests = expired.map(({ digest }) => digest);
            await locked.lock(batchDigests);
            return locked.deleteUnreferenced(batchDigests, graceMs);
          });
          countBlobs(removed);
          // After the commit: a crash in between leaves orphaned objects, which a later sweep removes.
          await deleteObjects(
            store,
            removed.map(({ storageKey }) => storageKey),
            { isFinished: true },
          );
        }
        await endBatch();
      }
    }

    /** Ends stale uploads. Returns the keys of the writers that a dry run left in place. */
    async function endStaleUploads(): Promise<Set<string>> {
      if (dryRun) {
        const stale = await rows.listStaleWriters(writerTimeoutMs, Number.MAX_SAFE_INTEGER);
        progress.endedUploads = stale.length;
        return new Set(stale);
      }
      for (;;) {
        const stale = await rows.listStaleWriters(writerTimeoutMs, BATCH_SIZE);
        if (stale.length === 0) return new Set();
        const ended = await inTransaction((tx) =>
          sweepRepository(tx, database.dialect).deleteStaleWriters(stale, writerTimeoutMs),
        );
        progress.endedUploads += ended.length;
        await endBatch();
      }
    }

    async function removeObjects(staleKeys: Set<string>): Promise<void> {
      phase = 'objects';
      const newestMs = Date.now() - graceMs;
      for await (const listed of batchesOf(store.list(), BATCH_SIZE)) {
        progress.checkedObjects += listed.length;
        const old = listed.filter(({ modifiedAt }) => modifiedAt.getTime() <= newestMs);
        if (old.length > 0) {
          // Queried after the listing: a writer's row is inserted before its object, so an object without a row now
          // will never get one.
          const referenced = new Set(await rows.listReferencedKeys(old.map(({ key }) => key)));
          const orphaned = old.filter(({ key }) => !referenced.has(key) || staleKeys.has(key));
          progress.removedObjects += orphaned.length;
          progress.freedBytes += orphaned.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
          if (!dryRun)
            await deleteObjects(
              store,
              orphaned.map(({ key }) => key),
            );
        }
        await endBatch();
      }
    }

    await markBlobs();
    await removeBlobs();
    await removeObjects(await endStaleUploads());
    return { dryRun, ...progress, ...(dryRun && { digests }) };
  }

  return {
    run: (run = {}) => sweep(run, false),
    dryRun: (run = {}) => sweep(run, true),
  };
}

async function deleteObjects(store: BlobStore, keys: readonly string[], options?: BlobDeleteOptions): Promise<void> {
  for (const batch of batches(keys, DELETE_CONCURRENCY)) {
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
