// The bytes of one slot on their way from a remote registry: resumed where a cut, a restart or another replica left
// them, and checked before anybody can see them.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Format, Ingest, Ingested } from '../artefacts/index.ts';
import { BerthError } from '../errors.ts';
import {
  RemoteAnswerInvalidError,
  RemoteUnavailableError,
  SlotMovedError,
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
   * Refuses what has no room here, where another size is announced than the slot's.
   * @throws upload_too_large, storage_full
   */
  assertFreeSpace: (sizeBytes: number) => Promise<void>;
  /** Called with errors of background work. */
  onError: (error: unknown) => void;
}

/** What downloads note, so that they can be continued. */
export type FetchRows = Pick<FetchRepository, 'find' | 'put' | 'remove'>;

/** Where bytes are taken in. */
export interface Ingests {
  begin(format: Format): Promise<Ingest>;
  /** Continues what an earlier call has suspended, in any process. @throws blob_missing when it is gone */
  resume(format: Format, storageKey: string): Promise<Ingest>;
  /** Removes what nobody takes in any more. */
  discard(storageKey: string): Promise<void>;
}

export interface FetchOrder<Source = UpstreamSource> {
  upstream: Source;
  id: FetchId;
  format: Format;
  slot: UpstreamSlot;
  /** What an earlier run has left of it. */
  stored?: StoredFetch | undefined;
  signal: AbortSignal;
  /** Told how many bytes more are here: of those that a continued download had already, too. */
  onBytes: (count: number) => void;
}

/** Bytes that are here whole and belong to nobody yet. `fetchedBytes` came over the network in this call. */
export interface Fetched {
  ingested: Ingested;
  fetchedBytes: number;
}

/** @template Source what it fetches from */
export interface Fetcher<Source = UpstreamSource> {
  /**
   * Fetches a slot. When it throws, what came is kept for the next call, unless it is wrong.
   * @throws SlotMovedError when the remote has other bytes by now; remote_unavailable, remote_refused,
   *   remote_answer_invalid, tarball errors, upload_too_large, storage_full; the signal's reason /
   */
  fetch(order: FetchOrder<Source>): Promise<Fetched>;
  /** Releases fetched bytes that were not committed, and keeps them for the next call where that is worth it. */
  release(id: FetchId, fetched: Fetched): Promise<void>;
}

/** Below it, beginning anew costs less than remembering. */
const RESUMABLE_BYTES = 4 * 1024 * 1024;
/** For how long bytes wait to be continued. */
const KEPT_MS = 7 * 24 * 3_600_000;
/** In a row, after which the artefact is left for later. */
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
  const keptUntil = () => new Date(Date.now() + KEPT_MS);

  /** Continues what an earlier run, in any process, has left. */
  async function resumeStored({
    id,
    format,
    slot,
    stored,
  }: FetchOrder): Promise<{ ingest: Ingest; etag: string | undefined } | undefined> {
    if (!stored) return undefined;
    if (stored.source === sourceOf(slot) && stored.etag !== undefined) {
      try {
        return { ingest: await ingests.resume(format, stored.storageKey), etag: stored.etag };
      } catch (error) {
        if (!(error instanceof BerthError && error.code === 'blob_missing')) throw error;
      }
    }
    await fetches.remove(id);
    await ingests.discard(stored.storageKey);
    return undefined;
  }

  async function fetch(order: FetchOrder): Promise<Fetched> {
    const { upstream, id, format, slot, signal, onBytes } = order;
    const source = sourceOf(slot);
    const resumed = await resumeStored(order);
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
          // Bytes that only replace others are no progress: a remote that always begins anew would never be done with.
          const hasProgressed = (ingest?.sizeBytes ?? 0) >= furthestBytes + MIN_PROGRESS_BYTES;
          if (hasProgressed) furthestBytes = ingest?.sizeBytes ?? 0;
          attemptsWithoutProgress = hasProgressed ? 0 : attemptsWithoutProgress + 1;
          if (attemptsWithoutProgress >= MAX_ATTEMPTS_WITHOUT_PROGRESS) throw error;
          await ingest?.suspend(keptUntil());
          await sleep(FIRST_PAUSE_MS * 2 ** attemptsWithoutProgress, undefined, { signal }).catch(() => undefined);
        }
      }
      const whole = await ingest!.finish();
      if (slot.digest !== undefined && whole.blob.digest !== slot.digest)
        throw new RemoteAnswerInvalidError(
          `Its bytes have the digest ${whole.blob.digest}, but the remote registry says ${slot.digest}.`,
        );
      return { ingested: whole, fetchedBytes };
    } catch (error) {
      await leave(id, ingest, error, signal);
      throw error;
    }

    /** Goes on where the ingest stands, to the end or to a cut. */
    async function fetchMore(): Promise<void> {
      await ingest?.reopen();
      const from = ingest && etag !== undefined ? { offset: ingest.sizeBytes, etag } : undefined;
      // While the remote looks for its bytes, a place is made for them.
      const [opening, beginning] = await Promise.allSettled([
        upstream.open(id.artefactId, slot, from, signal),
        ingest ?? ingests.begin(format),
      ]);
      if (beginning.status === 'fulfilled') ingest = beginning.value;
      const bytes = valueOf(opening);
      if (!bytes) throw new SlotMovedError('it shows bytes that it does not have');
      try {
        const begun = valueOf(beginning);
        assertExpected(bytes, slot);
        if (bytes.offset !== begun.sizeBytes) {
          onBytes(-begun.sizeBytes);
          ingest = undefined;
          await begun.abort();
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
          throw new RemoteAnswerInvalidError(
            `The remote registry sends more than the ${limit} bytes that it announced.`,
          );
        await into.write(chunk);
        fetchedBytes += chunk.length;
        onBytes(chunk.length);
      }
      if (bytes.sizeBytes !== undefined && into.sizeBytes < bytes.sizeBytes)
        throw new RemoteUnavailableError('The answer of the remote registry was cut short.');
    }
  }

  /** Keeps what came where it is worth continuing, and removes what is wrong. */
  async function leave(id: FetchId, ingest: Ingest | undefined, error: unknown, signal: AbortSignal): Promise<void> {
    if (!ingest) return;
    const canContinue =
      signal.aborted ||
      error instanceof RemoteUnavailableError ||
      !(error instanceof BerthError || error instanceof SlotMovedError);
    try {
      if (canContinue && (await fetches.find(id))?.storageKey === ingest.storageKey) {
        await ingest.suspend(keptUntil());
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

/** As Fetcher.release. */
export async function releaseFetched(
  fetches: Pick<FetchRows, 'find'>,
  id: FetchId,
  { ingested: { blob } }: Fetched,
): Promise<void> {
  if ((await fetches.find(id))?.storageKey !== blob.storageKey) await blob.abort();
}

function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}

/** Refuses bytes that are not those of the document, before the first of them. */
function assertExpected(bytes: UpstreamBytes, slot: UpstreamSlot): void {
  const differs = slot.digest !== undefined && bytes.digest !== undefined && bytes.digest !== slot.digest;
  const hasOtherSize =
    slot.sizeBytes !== undefined && bytes.sizeBytes !== undefined && bytes.sizeBytes !== slot.sizeBytes;
  if (!differs && !hasOtherSize) return;
  if (differs)
    throw new SlotMovedError(`its document says ${slot.digest}, its bytes are announced as ${bytes.digest}`);
  if (slot.digest === undefined)
    throw new SlotMovedError(`its document says ${slot.sizeBytes} bytes, and it sends ${bytes.sizeBytes}`);
  throw new RemoteAnswerInvalidError(
    `It has ${bytes.sizeBytes} bytes, but the remote registry says ${slot.sizeBytes}.`,
  );
}
