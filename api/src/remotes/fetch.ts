// The bytes of one slot on their way from a remote registry: resumed where a cut, a restart or another replica left them, and checked
// before anybody can see them.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Format, Intake, Taken } from '../artefacts/index.ts';
import type { BeginOptions } from '../blobs/index.ts';
import { BerthError } from '../errors.ts';
import { RemoteAnswerInvalidError, RemoteUnavailableError, SlotMovedError } from './errors.ts';
import type { FetchId, FetchRepository, StoredFetch } from './fetch-repository.ts';
import { sourceOf, type UpstreamBytes, type UpstreamSlot, type UpstreamSource } from './upstream-bytes.ts';

export interface FetcherOptions {
  fetches: FetchRows;
  intakes: Intakes;
  maxUploadBytes: number;
  /** Refuses what has no room here, where another size is announced than the slot's. @throws upload_too_large, storage_full */
  assertRoom: (sizeBytes: number) => Promise<void>;
  /** Told of what went wrong beside the work. */
  onError: (error: unknown) => void;
}

/** What downloads note, so that they can be continued. */
export type FetchRows = Pick<FetchRepository, 'find' | 'put' | 'remove'>;

/** Where bytes are taken in. */
export interface Intakes {
  begin(format: Format, options: Pick<BeginOptions, 'isNew' | 'reservedKey'>): Promise<Intake>;
  /** Continues what an earlier call has suspended, in any process. @throws blob_missing when it is gone */
  resume(format: Format, storageKey: string): Promise<Intake>;
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
  /** See BeginOptions. */
  isNew?: boolean | undefined;
  reservedKey?: string | undefined;
  signal: AbortSignal;
  /** Told how many bytes more are here: of those that a continued download had already, too. */
  onBytes: (count: number) => void;
}

/** Bytes that are here whole and belong to nobody yet. `fetchedBytes` came over the network in this call; `isNoted` tells that `FetchRows` may know of them. */
export interface Fetched {
  intake: Pick<Intake, 'storageKey' | 'adoption' | 'settle' | 'abort' | 'forget'>;
  taken: Taken;
  fetchedBytes: number;
  isNoted: boolean;
}

/** @template Source what it fetches from */
export interface Fetcher<Source = UpstreamSource> {
  /**
   * Fetches a slot. When it throws, what came is kept for the next call, unless it is wrong.
   * @throws SlotMovedError when the remote has other bytes by now; remote_unavailable, remote_refused, remote_answer_invalid, tarball errors,
   *   upload_too_large, storage_full; the signal's reason
   */
  fetch(order: FetchOrder<Source>): Promise<Fetched>;
  /** Lets go of fetched bytes that were not committed, and leaves them to the next call where that is worth it. */
  release(id: FetchId, fetched: Fetched): Promise<void>;
}

/** Below it, beginning anew costs less than remembering. */
const RESUMABLE_BYTES = 4 * 1024 * 1024;
/** For how long bytes wait to be continued. */
const KEPT_MS = 7 * 24 * 3_600_000;
/** Cuts in a row that brought next to nothing, after which the artefact is left for later. */
const MAX_BARREN_CUTS = 4;
const MIN_PROGRESS_BYTES = 64 * 1024;
const FIRST_PAUSE_MS = 200;

export function createFetcher({ fetches, intakes, maxUploadBytes, assertRoom, onError }: FetcherOptions): Fetcher {
  const keptUntil = () => new Date(Date.now() + KEPT_MS);

  /** Takes up what an earlier run, in any process, has left. */
  async function takeUp({ id, format, slot, stored }: FetchOrder): Promise<{ intake: Intake; etag: string | undefined } | undefined> {
    if (!stored) return undefined;
    if (stored.source === sourceOf(slot) && stored.etag !== undefined) {
      try {
        return { intake: await intakes.resume(format, stored.storageKey), etag: stored.etag };
      } catch (error) {
        if (!(error instanceof BerthError && error.code === 'blob_missing')) throw error;
      }
    }
    await fetches.remove(id);
    await intakes.discard(stored.storageKey);
    return undefined;
  }

  async function fetch(order: FetchOrder): Promise<Fetched> {
    const { upstream, id, format, slot, isNew, signal, onBytes } = order;
    let { reservedKey } = order;
    const source = sourceOf(slot);
    const taken = await takeUp(order);
    let intake = taken?.intake;
    let etag = taken?.etag;
    let fetchedBytes = 0;
    let barrenCuts = 0;
    let furthestBytes = intake?.sizeBytes ?? 0;
    if (intake) onBytes(intake.sizeBytes);

    try {
      while (!intake || intake.sizeBytes !== slot.sizeBytes) {
        try {
          await fetchMore();
          break;
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof RemoteUnavailableError)) throw error;
          // Bytes that only replace others are no progress: a remote that always begins anew would never be done with.
          const hasProgressed = (intake?.sizeBytes ?? 0) >= furthestBytes + MIN_PROGRESS_BYTES;
          if (hasProgressed) furthestBytes = intake?.sizeBytes ?? 0;
          barrenCuts = hasProgressed ? 0 : barrenCuts + 1;
          if (barrenCuts >= MAX_BARREN_CUTS) throw error;
          await intake?.suspend(keptUntil());
          await sleep(FIRST_PAUSE_MS * 2 ** barrenCuts, undefined, { signal }).catch(() => undefined);
        }
      }
      const whole = await intake!.finish();
      if (slot.digest !== undefined && whole.blob.digest !== slot.digest) throw new RemoteAnswerInvalidError(`Its bytes have the digest ${whole.blob.digest}, but the remote registry says ${slot.digest}.`);
      return { intake: intake!, taken: whole, fetchedBytes, isNoted: etag !== undefined };
    } catch (error) {
      await leave(id, intake, error, signal);
      throw error;
    }

    function begin(): Promise<Intake> {
      const options = { isNew, reservedKey };
      reservedKey = undefined;
      return intakes.begin(format, options);
    }

    /** Goes on where the intake stands, to the end or to a cut. */
    async function fetchMore(): Promise<void> {
      await intake?.reopen();
      const from = intake && etag !== undefined ? { offset: intake.sizeBytes, etag } : undefined;
      // While the remote looks for its bytes, a place is made for them.
      const [opening, beginning] = await Promise.allSettled([upstream.open(id.artefactId, slot, from, signal), intake ?? begin()]);
      if (beginning.status === 'fulfilled') intake = beginning.value;
      const bytes = valueOf(opening);
      if (!bytes) throw new SlotMovedError('it shows bytes that it does not have');
      try {
        const begun = valueOf(beginning);
        assertExpected(bytes, slot);
        if (bytes.offset !== begun.sizeBytes) {
          onBytes(-begun.sizeBytes);
          intake = undefined;
          await begun.abort();
        }
        if (bytes.sizeBytes !== undefined && bytes.sizeBytes !== slot.sizeBytes) await assertRoom(bytes.sizeBytes);
        intake ??= await begin();
        if (bytes.etag !== undefined && (bytes.sizeBytes ?? RESUMABLE_BYTES) >= RESUMABLE_BYTES) await fetches.put(id, { source, etag: etag = bytes.etag, storageKey: intake.storageKey });
        await receive(bytes, intake);
      } finally {
        bytes.end();
      }
    }

    async function receive(bytes: UpstreamBytes, into: Intake): Promise<void> {
      const limit = bytes.sizeBytes ?? maxUploadBytes;
      for await (const chunk of chunksOf(bytes)) {
        signal.throwIfAborted();
        if (into.sizeBytes + chunk.length > limit) throw new RemoteAnswerInvalidError(`The remote registry sends more than the ${limit} bytes that it announced.`);
        const writing = into.write(chunk);
        await (into.failed ? Promise.race([writing, into.failed]) : writing);
        fetchedBytes += chunk.length;
        onBytes(chunk.length);
      }
      if (bytes.sizeBytes !== undefined && into.sizeBytes < bytes.sizeBytes) throw new RemoteUnavailableError('The answer of the remote registry was cut short.');
    }
  }

  /** Keeps what came where it is worth continuing, and removes what is wrong. */
  async function leave(id: FetchId, intake: Intake | undefined, error: unknown, signal: AbortSignal): Promise<void> {
    if (!intake) return;
    const canContinue = signal.aborted || error instanceof RemoteUnavailableError || !(error instanceof BerthError || error instanceof SlotMovedError);
    try {
      if (canContinue && (await fetches.find(id))?.storageKey === intake.storageKey) {
        await intake.suspend(keptUntil());
        intake.forget();
      } else {
        await intake.abort();
        await fetches.remove(id);
      }
    } catch (cause) {
      onError(cause);
    }
  }

  return { fetch, release: createRelease(fetches) };
}

/** Makes the `release` of a fetcher. */
export function createRelease(fetches: Pick<FetchRows, 'find'>): Fetcher['release'] {
  return async (id, { intake }) => {
    if ((await fetches.find(id))?.storageKey === intake.storageKey) intake.forget();
    else await intake.abort();
  };
}

function valueOf<T>(settled: PromiseSettledResult<T>): T {
  if (settled.status === 'rejected') throw settled.reason;
  return settled.value;
}

/** Refuses bytes that are not those of the document, before the first of them. */
function assertExpected(bytes: UpstreamBytes, slot: UpstreamSlot): void {
  const differs = slot.digest !== undefined && bytes.digest !== undefined && bytes.digest !== slot.digest;
  const hasOtherSize = slot.sizeBytes !== undefined && bytes.sizeBytes !== undefined && bytes.sizeBytes !== slot.sizeBytes;
  if (!differs && !hasOtherSize) return;
  if (differs) throw new SlotMovedError(`its document says ${slot.digest}, its bytes are announced as ${bytes.digest}`);
  if (slot.digest === undefined) throw new SlotMovedError(`its document says ${slot.sizeBytes} bytes, and it sends ${bytes.sizeBytes}`);
  throw new RemoteAnswerInvalidError(`It has ${bytes.sizeBytes} bytes, but the remote registry says ${slot.sizeBytes}.`);
}

/** Whatever else goes wrong while reading is a remote that is away. */
async function* chunksOf({ chunks }: UpstreamBytes): AsyncGenerator<Uint8Array> {
  let isReading = true;
  try {
    for await (const chunk of chunks) {
      isReading = false;
      yield chunk;
      isReading = true;
    }
  } catch (cause) {
    if (!isReading || cause instanceof BerthError) throw cause;
    throw new RemoteUnavailableError(`The answer of the remote registry was cut short: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause });
  }
}
