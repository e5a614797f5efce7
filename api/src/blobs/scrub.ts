// Integrity check: reads every blob back and compares its size and digest with its row, also while the server runs.

import { createHash } from 'node:crypto';
import type { Database, Tx } from '../db/index.ts';
import { digestOf } from '../digests/index.ts';
import { createThrottle } from '../jobs/index.ts';
import type { BlobStore } from './blob-store.ts';
import { recordState } from './damage.ts';
import { BlobMissingError, StorageUnavailableError } from './errors.ts';
import { blobRepository, type BlobRow } from './repository.ts';
import { referenceRepository, type SlotOfBlob } from './reference-repository.ts';
import { scrubRepository } from './scrub-repository.ts';

/**
 * `size`, `digest`: the stored bytes differ; `unreadable`: the storage works, but cannot read this blob; `gone`: the
 * object is missing.
 */
export type FindingReason = 'size' | 'digest' | 'unreadable' | 'gone';

/** A damaged or missing blob, with the artefacts whose slots refer to it. */
export interface Finding {
  digest: string;
  reason: FindingReason;
  artefacts: SlotOfBlob[];
}

export interface ScrubCounts {
  checkedBlobs: number;
  checkedBytes: number;
  damagedBlobs: number;
  missingBlobs: number;
  /** Blobs that were damaged or missing in an earlier scrub and are intact again. */
  recoveredBlobs: number;
}

export interface ScrubProgress extends ScrubCounts {
  /** All digests up to this one have been checked; another process can resume here. */
  cursor: string;
  /** Findings so far, at most 1,000; the counts are complete. */
  findings: { digest: string; reason: FindingReason }[];
}

export interface ScrubResult extends ScrubCounts {
  /** At most 1,000 in both lists together; `damagedBlobs` and `missingBlobs` count all. */
  damaged: Finding[];
  missing: Finding[];
}

export interface ScrubOptions {
  database: Database;
  store: BlobStore;
  /** Read rate limit. Default: unlimited. */
  bytesPerSecond?: number;
}

export interface ScrubRun {
  signal?: AbortSignal;
  /** Progress of an interrupted scrub to resume from. */
  from?: ScrubProgress | undefined;
  onProgress?: (progress: ScrubProgress) => void;
  assertHeld?: (tx: Tx) => Promise<void>;
}

/** Runs a scrub and records each blob's state. @throws storage_unavailable, lease_lost; the signal's reason */
export type Scrub = (run?: ScrubRun) => Promise<ScrubResult>;

/** Concurrent reads: hides the latency of a remote storage. */
const READ_CONCURRENCY = 4;
const BATCH_SIZE = 32;
const MAX_FINDINGS = 1_000;
/** A blob that changes during every attempt is left to the next scrub. */
const MAX_ATTEMPTS = 3;

type Verdict = 'sound' | FindingReason;

export function createScrub({ database, store, bytesPerSecond }: ScrubOptions): Scrub {
  const rows = scrubRepository(database.db);

  return async ({ signal, from, onProgress, assertHeld } = {}) => {
    const progress: ScrubProgress = from
      ? structuredClone(from)
      : {
          cursor: '',
          checkedBlobs: 0,
          checkedBytes: 0,
          damagedBlobs: 0,
          missingBlobs: 0,
          recoveredBlobs: 0,
          findings: [],
        };
    const throttle = createThrottle(bytesPerSecond, signal);
    const inTransaction = <T>(work: (tx: Tx) => Promise<T>) =>
      database.transaction(async (tx) => {
        await assertHeld?.(tx);
        return work(tx);
      });

    async function check(listed: BlobRow): Promise<void> {
      for (let row: BlobRow | undefined = listed, attempts = 0; row && attempts < MAX_ATTEMPTS; attempts++) {
        const { digest, storageKey } = row;
        const verdict = await examine(row);
        const state = verdict === 'sound' ? 'sound' : verdict === 'gone' ? 'missing' : 'damaged';
        const isMarked =
          state === row.state || (await inTransaction((tx) => recordState(tx, { digest, storageKey }, state)));
        if (isMarked && (state === 'sound' || (await isCurrent(row)))) return record(row, verdict);
        // Repaired, adopted or swept while it was read: check its current row instead.
        row = await blobRepository(database.db).find(digest);
      }
    }

    /** Checks that the row still refers to the object that was read; otherwise the verdict is meaningless. */
    async function isCurrent(row: BlobRow): Promise<boolean> {
      return (await blobRepository(database.db).find(row.digest))?.storageKey === row.storageKey;
    }

    function record(row: BlobRow, verdict: Verdict): void {
      progress.checkedBlobs++;
      progress.checkedBytes += row.sizeBytes;
      if (verdict === 'sound') {
        if (row.state !== 'sound') progress.recoveredBlobs++;
        return;
      }
      progress[verdict === 'gone' ? 'missingBlobs' : 'damagedBlobs']++;
      if (progress.findings.length < MAX_FINDINGS) progress.findings.push({ digest: row.digest, reason: verdict });
    }

    async function examine(row: BlobRow): Promise<Verdict> {
      try {
        return await read(row);
      } catch (error) {
        if (error instanceof BlobMissingError) return 'gone';
        if (!(error instanceof StorageUnavailableError)) throw error;
      }
      // Distinguish a bad sector, which is a finding, from an unavailable storage, which ends the scrub until it is
      // retried.
      await store.check();
      return read(row).catch((error: unknown) => {
        if (error instanceof BlobMissingError) return 'gone';
        if (error instanceof StorageUnavailableError) return 'unreadable';
        throw error;
      });
    }

    async function read({ digest, storageKey, sizeBytes }: BlobRow): Promise<Verdict> {
      if ((await store.stat(storageKey)).sizeBytes !== sizeBytes) return 'size';
      const hash = createHash('sha256');
      await store.send(storageKey, undefined, async (chunk) => {
        signal?.throwIfAborted();
        hash.update(chunk);
        await throttle(chunk.length);
      });
      return digestOf(hash) === digest ? 'sound' : 'digest';
    }

    for (;;) {
      const batch = await rows.listAfter(progress.cursor, BATCH_SIZE);
      const last = batch.at(-1);
      if (!last) break;
      const queue = batch.values();
      await Promise.all(
        Array.from({ length: READ_CONCURRENCY }, async () => {
          for (const row of queue) await check(row);
        }),
      );
      progress.cursor = last.digest;
      onProgress?.(structuredClone(progress));
      signal?.throwIfAborted();
    }
    return summarise(progress);
  };

  async function summarise({
    findings,
    checkedBlobs,
    checkedBytes,
    damagedBlobs,
    missingBlobs,
    recoveredBlobs,
  }: ScrubProgress): Promise<ScrubResult> {
    const artefacts = await referenceRepository(database.db).listSlots(findings.map(({ digest }) => digest));
    const all = findings.map((finding) => ({ ...finding, artefacts: artefacts.get(finding.digest) ?? [] }));
    return {
      checkedBlobs,
      checkedBytes,
      damagedBlobs,
      missingBlobs,
      recoveredBlobs,
      damaged: all.filter(({ reason }) => reason !== 'gone'),
      missing: all.filter(({ reason }) => reason === 'gone'),
    };
  }
}
