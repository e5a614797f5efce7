// The bytes of one slot on their way from a remote registry: resumed where a cut, a restart or another replica left them, and checked
// before anybody can see them.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Format, Intake, Publishing, Taken } from '../artefacts/index.ts';
import { BlobMissingError, StorageFullError } from '../blobs/index.ts';
import type { Database } from '../db/index.ts';
import { BerthError } from '../errors.ts';
import { UploadTooLargeError } from '../http/index.ts';
import { RemoteAnswerInvalidError, RemoteUnavailableError } from './errors.ts';
import { fetchRepository, type FetchId } from './fetch-repository.ts';
import { sourceOf, type UpstreamSlot } from './upstream-artefact.ts';
import type { Upstream, UpstreamBytes } from './upstream.ts';

export interface FetcherOptions {
  database: Database;
  publishing: Publishing;
  /** Where downloads are begun. */
  transactions: Pick<Database, 'transaction'>;
  maxUploadBytes: number;
  /** Told of what went wrong beside the work. */
  onError: (error: unknown) => void;
  /** Room that is left for files; undefined where that is nobody's business. */
  freeBytes: () => Promise<number | undefined>;
}

export interface FetchOrder {
  upstream: Upstream;
  id: FetchId;
  format: Format;
  slot: UpstreamSlot;
  signal: AbortSignal;
  /** Told how many bytes more are here: of those that a continued download had already, too. */
  onBytes: (count: number) => void;
}

/** Bytes that are here whole and belong to nobody yet. `fetchedBytes` came over the network in this call. */
export interface Fetched { intake: Intake; taken: Taken; fetchedBytes: number }

export interface Fetcher {
  /**
   * Fetches a slot. When it throws, what came is kept for the next call, unless it is wrong.
   * @throws SlotMovedError when the remote has other bytes by now; remote_unavailable, remote_refused, remote_answer_invalid, tarball errors,
   *   upload_too_large, storage_full; the signal's reason
   */
  fetch(order: FetchOrder): Promise<Fetched>;
  /** Lets go of fetched bytes that were not committed, and leaves them to the next call where that is worth it. */
  release(id: FetchId, fetched: Fetched): Promise<void>;
}

/** The document was read before the bytes were replaced: it is worth reading it again. */
export class SlotMovedError extends Error { override readonly name = 'SlotMovedError'; }

/** Below it, beginning anew costs less than remembering. */
const RESUMABLE_BYTES = 4 * 1024 * 1024;
/** For how long bytes wait to be continued. */
const KEPT_MS = 7 * 24 * 3_600_000;
/** Cuts in a row that brought next to nothing, after which the artefact is left for later. */
const MAX_BARREN_CUTS = 4;
const MIN_PROGRESS_BYTES = 64 * 1024;
const FIRST_PAUSE_MS = 200;
/** What stays free for everything else. */
const SPARE_BYTES = 64 * 1024 * 1024;

export function createFetcher({ database, publishing, transactions, maxUploadBytes, onError, freeBytes }: FetcherOptions): Fetcher {
  const fetches = fetchRepository(database.db);
  const keptUntil = () => new Date(Date.now() + KEPT_MS);

  /** Takes up what an earlier call, in any process, has left. */
  async function takeUp(id: FetchId, source: string, format: Format): Promise<{ intake: Intake; etag: string | undefined } | undefined> {
    const stored = await fetches.find(id);
    if (!stored) return undefined;
    if (stored.source === source && stored.etag !== undefined) {
      try {
        return { intake: await publishing.resume(format, stored.storageKey), etag: stored.etag };
      } catch (error) {
        if (!(error instanceof BlobMissingError)) throw error;
      }
    }
    await fetches.remove(id);
    await publishing.discard(stored.storageKey);
    return undefined;
  }

  async function assertRoom(sizeBytes: number | undefined): Promise<void> {
    if (sizeBytes === undefined) return;
    if (sizeBytes > maxUploadBytes) throw new UploadTooLargeError(`It has ${sizeBytes} bytes; this registry takes at most ${maxUploadBytes} (MAX_UPLOAD_BYTES).`);
    const free = await freeBytes();
    if (free !== undefined && sizeBytes + SPARE_BYTES > free) throw new StorageFullError(`It has ${sizeBytes} bytes, but only ${free} are free on the disk of this registry: make room.`);
  }

  async function fetch(order: FetchOrder): Promise<Fetched> {
    const { upstream, id, format, slot, signal, onBytes } = order;
    const source = sourceOf(slot);
    const taken = await takeUp(id, source, format);
    let intake = taken?.intake;
    let etag = taken?.etag;
    let fetchedBytes = 0;
    let barrenCuts = 0;
    if (intake) onBytes(intake.sizeBytes);
    else await assertRoom(slot.sizeBytes);

    try {
      while (!intake || intake.sizeBytes !== slot.sizeBytes) {
        let received = 0;
        try {
          await intake?.reopen();
          const bytes = await upstream.open(id.artefactId, slot, intake && etag !== undefined ? { offset: intake.sizeBytes, etag } : undefined, signal);
          if (!bytes) throw new SlotMovedError('it shows bytes that it does not have');
          assertExpected(bytes, slot);
          if (intake && bytes.offset !== intake.sizeBytes) {
            onBytes(-intake.sizeBytes);
            await intake.abort();
            intake = undefined;
          }
          if (bytes.sizeBytes !== slot.sizeBytes) await assertRoom(bytes.sizeBytes);
          intake ??= await publishing.begin(format, { bypassCache: true, transactions });
          if (bytes.etag !== undefined && (bytes.sizeBytes ?? RESUMABLE_BYTES) >= RESUMABLE_BYTES) await fetches.put(id, { source, etag: etag = bytes.etag, storageKey: intake.storageKey });
          await receive(bytes, intake, (count) => { received += count; fetchedBytes += count; onBytes(count); });
          break;
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof RemoteUnavailableError)) throw error;
          barrenCuts = received >= MIN_PROGRESS_BYTES ? 0 : barrenCuts + 1;
          if (barrenCuts >= MAX_BARREN_CUTS) throw error;
          await intake?.suspend(keptUntil());
          await sleep(FIRST_PAUSE_MS * 2 ** barrenCuts, undefined, { signal }).catch(() => undefined);
        }
      }
      const whole = await intake.finish();
      if (slot.digest !== undefined && whole.blob.digest !== slot.digest) throw new RemoteAnswerInvalidError(`Its bytes have the digest ${whole.blob.digest}, but the remote registry says ${slot.digest}.`);
      return { intake, taken: whole, fetchedBytes };
    } catch (error) {
      await leave(id, intake, error, signal);
      throw error;
    }

    async function receive(bytes: UpstreamBytes, into: Intake, onReceived: (count: number) => void): Promise<void> {
      const limit = bytes.sizeBytes ?? maxUploadBytes;
      try {
        for await (const chunk of chunksOf(bytes)) {
          signal.throwIfAborted();
          if (into.sizeBytes + chunk.length > limit) throw new RemoteAnswerInvalidError(`The remote registry sends more than the ${limit} bytes that it announced.`);
          await Promise.race([into.write(chunk), into.failed]);
          onReceived(chunk.length);
        }
      } finally {
        bytes.end();
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

  return {
    fetch,
    async release(id, { intake }) {
      if ((await fetches.find(id))?.storageKey === intake.storageKey) intake.forget();
      else await intake.abort();
    },
  };
}

/** Refuses bytes that are not those of the document, before the first of them. */
function assertExpected(bytes: UpstreamBytes, slot: UpstreamSlot): void {
  const differs = slot.digest !== undefined && bytes.digest !== undefined && bytes.digest !== slot.digest;
  const hasOtherSize = slot.sizeBytes !== undefined && bytes.sizeBytes !== undefined && bytes.sizeBytes !== slot.sizeBytes;
  if (!differs && !hasOtherSize) return;
  bytes.end();
  if (differs) throw new SlotMovedError(`its document says ${slot.digest}, its bytes are announced as ${bytes.digest}`);
  if (slot.digest === undefined) throw new SlotMovedError(`its document says ${slot.sizeBytes} bytes, and it sends ${bytes.sizeBytes}`);
  throw new RemoteAnswerInvalidError(`It has ${bytes.sizeBytes} bytes, but the remote registry says ${slot.sizeBytes}.`);
}

/** Whatever goes wrong while reading, a cut or a silence, is a remote that is away. */
async function* chunksOf({ chunks }: UpstreamBytes): AsyncGenerator<Uint8Array> {
  let isReading = true;
  try {
    for await (const chunk of chunks) {
      isReading = false;
      yield chunk;
      isReading = true;
    }
  } catch (cause) {
    if (!isReading) throw cause;
    throw new RemoteUnavailableError(`The answer of the remote registry was cut short: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause });
  }
}
