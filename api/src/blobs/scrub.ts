// Reads every blob back and compares its size and digest with its row, while the server serves or beside it.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Tx } from '../db/index.ts';
import { digestOf } from '../digests/index.ts';
import type { BlobStore } from './blob-store.ts';
import { BlobMissingError, StorageUnavailableError } from './errors.ts';
import { blobRepository, type BlobRow } from './repository.ts';
import { scrubRepository, type SlotOfBlob } from './scrub-repository.ts';

/**
 * `size`, `digest`: other bytes are there; `unreadable`: the storage works, but not for this one; `gone`: nothing is
 * there.
 */
export type FindingReason = 'size' | 'digest' | 'unreadable' | 'gone';

/** A blob that is not sound; `artefacts` are those whose slots it fills. */
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
  /** Blobs that an earlier scrub had found unsound, and that are sound. */
  recoveredBlobs: number;
}

export interface ScrubProgress extends ScrubCounts {
  /** All digests up to this one are checked: where another process continues. */
  cursor: string;
  /** What was found so far, 1,000 at most; the counts are complete. */
  findings: { digest: string; reason: FindingReason }[];
}

export interface ScrubResult extends ScrubCounts {
  /** Up to 1,000 in both lists together; `damagedBlobs` and `missingBlobs` count all. */
  damaged: Finding[];
  missing: Finding[];
}

export interface ScrubOptions {
  database: Database;
  store: BlobStore;
  /** Reads no more than this in a second. Default: as fast as it goes. */
  bytesPerSecond?: number;
}

export interface ScrubRun {
  signal?: AbortSignal;
  /** Continues a scrub that was interrupted. */
  from?: ScrubProgress | undefined;
  onProgress?: (progress: ScrubProgress) => void;
  assertHeld?: (tx: Tx) => Promise<void>;
}

/** Scrubs; marks each blob's row with what was found. @throws storage_unavailable, lease_lost; the signal's reason */
export type Scrub = (run?: ScrubRun) => Promise<ScrubResult>;

/** Blobs that are read at once: hides the delay of a storage over the network. */
const READS_AT_ONCE = 4;
const BATCH = 32;
const MAX_FINDINGS = 1_000;
/** A blob that changes each time it is looked at is left to the next scrub. */
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
    const slowDown = createLimiter(bytesPerSecond, signal);
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
          state === row.state || (await inTransaction((tx) => blobRepository(tx).mark({ digest, storageKey }, state)));
        if (isMarked && (state === 'sound' || (await isPresent(row)))) return note(row, verdict);
        // Healed, adopted or swept while it was read: what it is now decides.
        row = await blobRepository(database.db).find(digest);
      }
    }

    /** A verdict on an object that was replaced meanwhile says nothing. */
    async function isPresent(row: BlobRow): Promise<boolean> {
      return (await blobRepository(database.db).find(row.digest))?.storageKey === row.storageKey;
    }

    function note(row: BlobRow, verdict: Verdict): void {
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
      // A bad sector, or a storage that is away? The one is a finding, the other ends the scrub, which is tried again
      // later.
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
        await slowDown(chunk.length);
      });
      return digestOf(hash) === digest ? 'sound' : 'digest';
    }

    for (;;) {
      const batch = await rows.listAfter(progress.cursor, BATCH);
      const last = batch.at(-1);
      if (!last) break;
      const queue = batch.values();
      await Promise.all(
        Array.from({ length: READS_AT_ONCE }, async () => {
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
    const artefacts = await rows.listSlots(findings.map(({ digest }) => digest));
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

/** Makes a function that waits as long as the bytes so far were too quick. */
function createLimiter(
  bytesPerSecond: number | undefined,
  signal: AbortSignal | undefined,
): (bytes: number) => Promise<void> {
  const startedAt = performance.now();
  let total = 0;
  return async (bytes) => {
    if (bytesPerSecond === undefined) return;
    total += bytes;
    const aheadMs = (total / bytesPerSecond) * 1000 - (performance.now() - startedAt);
    if (aheadMs > 0) await sleep(aheadMs, undefined, { signal });
  };
}
