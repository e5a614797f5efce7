// Downloads the bytes of one slot from a remote registry: resumes after an interruption, a restart or on another
// replica, and verifies the digest before the slot becomes visible.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Format, Ingest, IngestResult } from '../artefacts/index.ts';
import { BerthError } from '../errors.ts';
import {
  freeMemory,
  RemoteAnswerInvalidError,
  RemoteUnavailableError,
  SlotChangedError,
  sourceOf,
  type UpstreamBytes,
  type UpstreamSlot,
  type UpstreamSource,
} from '../upstream/index.ts';
import type { FetchId, FetchRepository, StoredFetch } from './fetch-repository.ts';

export interface FetcherOptions {
  fetches: FetchRows;
  ingests: Ingests;
  maxUploadBytes: number;
  /**
   * Called when the response announces another size than the document.
   * @throws upload_too_large, storage_full
   */
  assertFreeSpace: (sizeBytes: number) => Promise<void>;
  /** Called with errors of background work. */
  onError: (error: unknown) => void;
}

/** Resume records of downloads. */
export type FetchRows = Pick<FetchRepository, 'find' | 'put' | 'remove'>;

/** Opens, resumes and discards ingests. */
export interface Ingests {
  begin(format: Format): Promise<Ingest>;
  /** Resumes an ingest that any process has suspended. @throws blob_missing if it no longer exists */
  resume(format: Format, storageKey: string): Promise<Ingest>;
  /** Deletes a suspended ingest. */
  discard(storageKey: string): Promise<void>;
}

export interface FetchTask<Source = UpstreamSource> {
  upstream: Source;
  id: FetchId;
  format: Format;
  slot: UpstreamSlot;
  /** Resume record of an earlier run. */
  storedFetch?: StoredFetch | undefined;
  signal: AbortSignal;
  /** Called with each additional number of bytes, including those a resumed download already has; may be negative. */
  onBytes: (count: number) => void;
}

/** A slot whose bytes are complete but not yet committed. */
export interface FetchedSlot {
  ingested: IngestResult;
  /** Received over the network in this call. */
  fetchedBytes: number;
}

/** @template Source the registry or byte source that it fetches from */
export interface Fetcher<Source = UpstreamSource> {
  /**
   * Fetches a slot. After an error, received bytes are kept for the next call, unless they are invalid.
   * @throws SlotChangedError if the remote has replaced the bytes; remote_unavailable, remote_refused,
   *   remote_answer_invalid, tarball errors, upload_too_large, storage_full; the signal's reason
   */
  fetch(task: FetchTask<Source>): Promise<FetchedSlot>;
  /** Releases fetched bytes that were not committed; keeps them for the next call if they have a resume record. */
  release(id: FetchId, fetched: FetchedSlot): Promise<void>;
}

/** Smaller slots are fetched again from the start: a resume record would cost more. */
const RESUMABLE_BYTES = 4 * 1024 * 1024;
/** How long suspended bytes are kept. */
const SUSPENDED_MS = 7 * 24 * 3_600_000;
/** Consecutive attempts after which the fetch fails and the artefact is retried in a later run. */
const MAX_ATTEMPTS_WITHOUT_PROGRESS = 4;
const MIN_PROGRESS_BYTES = 64 * 1024;
const FIRST_PAUSE_MS = 200;

export function createFetcher({
  fetches,
  ingests,
  maxUploadBytes,
  assertFreeSpace,
  onError,
}: FetcherOptions): Fetcher {
  const keepUntil = () => new Date(Date.now() + SUSPENDED_MS);

  /** Resumes the download of an earlier run, in any process; discards it if the bytes have changed. */
  async function resumeStored({
    id,
    format,
    slot,
    storedFetch,
  }: FetchTask): Promise<{ ingest: Ingest; etag: string | undefined } | undefined> {
    if (!storedFetch) return undefined;
    if (storedFetch.source === sourceOf(slot) && storedFetch.etag !== undefined) {
      try {
        return { ingest: await ingests.resume(format, storedFetch.storageKey), etag: storedFetch.etag };
      } catch (error) {
        if (!(error instanceof BerthError && error.code === 'blob_missing')) throw error;
      }
    }
    await fetches.remove(id);
    await ingests.discard(storedFetch.storageKey);
    return undefined;
  }

  async function fetch(task: FetchTask): Promise<FetchedSlot> {
    const { upstream, id, format, slot, signal, onBytes } = task;
    const source = sourceOf(slot);
    const resumed = await resumeStored(task);
    let ingest = resumed?.ingest;
    let etag = resumed?.etag;
    let fetchedBytes = 0;
    let attemptsWithoutProgress = 0;
    let furthestBytes = ingest?.sizeBytes ?? 0;
    if (ingest) onBytes(ingest.sizeBytes);

    try {
      while (!ingest || ingest.sizeBytes !== slot.sizeBytes) {
        try {
          await fetchMore();
          break;
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof RemoteUnavailableError)) throw error;
          // Only bytes beyond the furthest offset are progress: a remote that always restarts must not loop for ever.
          const hasProgressed = (ingest?.sizeBytes ?? 0) >= furthestBytes + MIN_PROGRESS_BYTES;
          if (hasProgressed) furthestBytes = ingest?.sizeBytes ?? 0;
          attemptsWithoutProgress = hasProgressed ? 0 : attemptsWithoutProgress + 1;
          if (attemptsWithoutProgress >= MAX_ATTEMPTS_WITHOUT_PROGRESS) throw error;
          await ingest?.suspend(keepUntil());
          await sleep(FIRST_PAUSE_MS * 2 ** attemptsWithoutProgress, undefined, { signal }).catch(() => undefined);
        }
      }
      const ingested = await ingest!.finish();
      if (slot.digest !== undefined && ingested.blob.digest !== slot.digest)
        throw new RemoteAnswerInvalidError(
          `Its bytes have the digest ${ingested.blob.digest}, but the remote registry says ${slot.digest}.`,
        );
      return { ingested, fetchedBytes };
    } catch (error) {
      await suspendOrDiscard(id, ingest, error, signal);
      throw error;
    }

    /** Continues from the ingest's offset, to the end or to an interruption. */
    async function fetchMore(): Promise<void> {
      await ingest?.reopen();
      const from = ingest && etag !== undefined ? { offset: ingest.sizeBytes, etag } : undefined;
      // The request and the new ingest are opened concurrently.
      const [openResult, ingestResult] = await Promise.allSettled([
        upstream.open(id.artefactId, slot, from, signal),
        ingest ?? ingests.begin(format),
      ]);
      if (ingestResult.status === 'fulfilled') ingest = ingestResult.value;
      const bytes = valueOf(openResult);
      if (!bytes) throw new SlotChangedError('its document lists a slot whose bytes are missing');
      try {
        const current = valueOf(ingestResult);
        assertExpected(bytes, slot);
        if (bytes.offset !== current.sizeBytes) {
          onBytes(-current.sizeBytes);
          ingest = undefined;
          await current.abort();
        }
        if (bytes.sizeBytes !== undefined && bytes.sizeBytes !== slot.sizeBytes)
          await assertFreeSpace(bytes.sizeBytes);
        ingest ??= await ingests.begin(format);
        if (bytes.etag !== undefined && (bytes.sizeBytes ?? RESUMABLE_BYTES) >= RESUMABLE_BYTES)
          await fetches.put(id, { source, etag: (etag = bytes.etag), storageKey: ingest.storageKey });
        await receive(bytes, ingest);
      } finally {
        bytes.end();
      }
    }

    async function receive(bytes: UpstreamBytes, into: Ingest): Promise<void> {
      const limit = bytes.sizeBytes ?? maxUploadBytes;
      for await (const chunk of bytes.chunks) {
        signal.throwIfAborted();
        if (into.sizeBytes + chunk.length > limit)
          throw new RemoteAnswerInvalidError(`The remote registry sent more than the announced ${limit} bytes.`);
        const { length } = chunk;
        await into.write(chunk);
        freeMemory(chunk);
        fetchedBytes += length;
        onBytes(length);
      }
      if (bytes.sizeBytes !== undefined && into.sizeBytes < bytes.sizeBytes)
        throw new RemoteUnavailableError('The response of the remote registry was cut short.');
    }
  }

  /** Suspends the ingest after a transient error if it has a resume record; otherwise deletes it. */
  async function suspendOrDiscard(
    id: FetchId,
    ingest: Ingest | undefined,
    error: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    if (!ingest) return;
    const canResume =
      signal.aborted ||
      error instanceof RemoteUnavailableError ||
      !(error instanceof BerthError || error instanceof SlotChangedError);
    try {
      if (canResume && (await fetches.find(id))?.storageKey === ingest.storageKey) {
        await ingest.suspend(keepUntil());
        ingest.forget();
      } else {
        await ingest.abort();
        await fetches.remove(id);
      }
    } catch (cause) {
      onError(cause);
    }
  }

  return { fetch, release: (id, fetched) => releaseFetched(fetches, id, fetched) };
}

/** See `Fetcher.release`. */
export async function releaseFetched(
  fetches: Pick<FetchRows, 'find'>,
  id: FetchId,
  { ingested: { blob } }: FetchedSlot,
): Promise<void> {
  if ((await fetches.find(id))?.storageKey !== blob.storageKey) await blob.abort();
}

function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}

/** Compares the announced digest and size with the document, before the first byte is read. */
function assertExpected(bytes: UpstreamBytes, slot: UpstreamSlot): void {
  const hasOtherDigest = slot.digest !== undefined && bytes.digest !== undefined && bytes.digest !== slot.digest;
  const hasOtherSize =
    slot.sizeBytes !== undefined && bytes.sizeBytes !== undefined && bytes.sizeBytes !== slot.sizeBytes;
  if (!hasOtherDigest && !hasOtherSize) return;
  if (hasOtherDigest)
    throw new SlotChangedError(`its document says ${slot.digest}, but its bytes are announced as ${bytes.digest}`);
  if (slot.digest === undefined)
    throw new SlotChangedError(`its document says ${slot.sizeBytes} bytes, but ${bytes.sizeBytes} are announced`);
  throw new RemoteAnswerInvalidError(
    `It has ${bytes.sizeBytes} bytes, but the remote registry says ${slot.sizeBytes}.`,
  );
}
