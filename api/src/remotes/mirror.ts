// Mirrors one artefact of a remote registry: fetches the slots that differ, then commits all in one transaction.

import type { CurrentActor } from '../access/index.ts';
import type { MirroredSlot, Mirroring } from '../artefacts/index.ts';
import type { Database, Tx } from '../db/index.ts';
import { BerthError } from '../errors.ts';
import type { ThumbnailImage, ThumbnailService } from '../thumbnails/index.ts';
import {
  fingerprintOf,
  RemoteAnswerInvalidError,
  RemoteUnavailableError,
  SlotChangedError,
  sourceOf,
  type Upstream,
  type UpstreamArtefact,
  type UpstreamSlot,
} from '../upstream/index.ts';
import { fetchRepository, type StoredFetch } from './fetch-repository.ts';
import type { FetchedSlot, Fetcher } from './fetch.ts';
import type { Remote } from './remote.ts';
import { remoteRepository } from './repository.ts';

export interface MirrorOptions {
  database: Pick<Database, 'transaction'>;
  mirroring: Mirroring;
  thumbnails: ThumbnailService;
  fetcher: Fetcher<Upstream>;
  /** @throws upload_too_large, storage_full */
  assertFreeSpace: (sizeBytes: number) => Promise<void>;
}

/** Shared by all artefacts of a run. */
export interface MirrorRun {
  remote: Pick<Remote, 'id'>;
  actor: CurrentActor;
  upstream: Upstream;
  signal: AbortSignal;
  /** @throws lease_lost when another replica has taken over */
  assertHeld: (tx: Tx) => Promise<void>;
}

export interface MirrorTask {
  run: MirrorRun;
  artefact: UpstreamArtefact;
  onBytes: (count: number) => void;
  /** Resume records of earlier runs, by architecture. */
  storedFetches: ReadonlyMap<string, StoredFetch>;
}

/** The artefact was unselected, or the registry removed, while it was fetched. */
export class MirrorCancelledError extends Error {
  override readonly name = 'MirrorCancelledError';
}

/**
 * Updates the mirror of an artefact to the remote's state and records the result; on an error it is unchanged.
 * @throws MirrorCancelledError; what `Fetcher.fetch` throws
 */
export type MirrorArtefact = (task: MirrorTask) => Promise<void>;

/** A thumbnail takes memory to fetch and to decode: each run handles one at a time. */
type OneAtATime = <T>(work: () => Promise<T>) => Promise<T>;

/** After that many changes during the fetch, the artefact is left for the next run. */
const MAX_ATTEMPTS = 4;

export function createMirror({
  database,
  mirroring,
  thumbnails,
  fetcher,
  assertFreeSpace,
}: MirrorOptions): MirrorArtefact {
  const queues = new WeakMap<MirrorRun, OneAtATime>();
  const thumbnailsOf = (run: MirrorRun): OneAtATime => {
    const queue = queues.get(run) ?? createQueue();
    queues.set(run, queue);
    return queue;
  };

  return async (task) => {
    const { run } = task;
    const startedAt = performance.now();
    /** Fetched and not yet committed, by `sourceOf`. */
    const fetchedSlots = new Map<string, FetchedSlot>();
    const idOf = (slot: UpstreamSlot) => ({
      remoteId: run.remote.id,
      artefactId: task.artefact.id,
      architecture: slot.architecture,
    });
    let { artefact } = task;
    let fetchedBytes = 0;
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          const slots = await gather(artefact);
          await assertUnchanged(artefact);
          return await commit(artefact, slots);
        } catch (error) {
          if (!(error instanceof SlotChangedError)) throw error;
          if (attempt === MAX_ATTEMPTS)
            throw new RemoteAnswerInvalidError('It changed at the remote registry during each attempt to fetch it.', {
              cause: error,
            });
          artefact = await reread(artefact, error);
        }
      }
    } finally {
      for (const [source, fetched] of fetchedSlots) {
        const slot = artefact.slots.find((it) => sourceOf(it) === source);
        if (slot) await fetcher.release(idOf(slot), fetched).catch(() => undefined);
        else await fetched.ingested.blob.abort().catch(() => undefined);
      }
    }

    async function gather({ id, format, slots }: UpstreamArtefact): Promise<MirroredSlot[]> {
      // Local slots are only needed where the document leaves something out.
      const local = slots.every(
        ({ digest, hasNativeModules }) =>
          digest !== undefined && (format === 'file' || hasNativeModules !== undefined),
      )
        ? []
        : await mirroring.slots(id);
      const mirrored: MirroredSlot[] = [];
      for (const slot of slots) {
        const source = sourceOf(slot);
        const present = local.find(({ architecture }) => architecture === slot.architecture);
        // Without a digest, an equal upload time means equal bytes.
        const digest =
          slot.digest ??
          (present?.uploadedAt === slot.uploadedAt && present.sizeBytes === (slot.sizeBytes ?? present.sizeBytes)
            ? present.digest
            : undefined);
        const existing =
          !fetchedSlots.has(source) && digest !== undefined ? await mirroring.findBytes(digest, format) : undefined;
        const fetched = existing ? undefined : (fetchedSlots.get(source) ?? (await fetch(slot, format)));
        if (fetched) fetchedSlots.set(source, fetched);
        const blob = existing ?? fetched!.ingested.blob;
        const scan = fetched?.ingested.scan;
        mirrored.push({
          architecture: slot.architecture,
          digest: blob.digest,
          sizeBytes: blob.sizeBytes,
          version: slot.version ?? scan?.manifest.version ?? (slot.architecture === '' ? undefined : artefact.version),
          fileName: slot.fileName,
          uploadedAt: slot.uploadedAt,
          hasNativeModules: scan?.hasNativeModules ?? slot.hasNativeModules ?? present?.hasNativeModules ?? false,
          hasInstallScripts: scan?.hasInstallScripts ?? slot.hasInstallScripts ?? present?.hasInstallScripts ?? false,
          ingested: fetched?.ingested,
        });
      }
      return mirrored;
    }

    async function fetch(slot: UpstreamSlot, format: UpstreamArtefact['format']): Promise<FetchedSlot> {
      const { upstream, signal } = run;
      const storedFetch = task.storedFetches.get(slot.architecture);
      if (!storedFetch && slot.sizeBytes !== undefined) await assertFreeSpace(slot.sizeBytes);
      const fetched = await fetcher.fetch({
        upstream,
        id: idOf(slot),
        format,
        slot,
        storedFetch,
        signal,
        onBytes: task.onBytes,
      });
      fetchedBytes += fetched.fetchedBytes;
      return fetched;
    }

    /** Without digests, fetched bytes may be newer than the document. @throws SlotChangedError */
    async function assertUnchanged(read: UpstreamArtefact): Promise<void> {
      if (fetchedSlots.size === 0 || read.slots.every(({ digest }) => digest !== undefined)) return;
      const now = await run.upstream.artefact(read.id, run.signal);
      if (!now || now.dataUpdatedAt !== read.dataUpdatedAt) {
        // There is no way to tell which of the bytes are still current.
        for (const fetched of fetchedSlots.values()) await fetched.ingested.blob.abort();
        fetchedSlots.clear();
        throw new SlotChangedError('the artefact changed while it was fetched');
      }
    }

    /**
     * Reads the document again and drops fetched bytes that it no longer lists.
     * @throws remote_answer_invalid if the document is unchanged: then it contradicts the bytes
     */
    async function reread(read: UpstreamArtefact, change: SlotChangedError): Promise<UpstreamArtefact> {
      const now = await run.upstream.artefact(read.id, run.signal);
      if (!now) throw new RemoteAnswerInvalidError('It was removed from the remote registry while it was fetched.');
      if (fingerprintOf(now) === fingerprintOf(read))
        throw new RemoteAnswerInvalidError(`The remote registry contradicts itself: ${change.message}.`);
      const sources = new Set(now.slots.map(sourceOf));
      for (const [source, fetched] of fetchedSlots) {
        if (sources.has(source)) continue;
        fetchedSlots.delete(source);
        await fetched.ingested.blob.abort();
      }
      return now;
    }

    async function commit(read: UpstreamArtefact, slots: MirroredSlot[]): Promise<void> {
      const { image, warning, isTransient } = await fetchThumbnail(read);
      const thumbnail = image && { id: image.id, width: image.width, height: image.height };
      const { slots: upstreamSlots, ...metadata } = read;
      const fields = { ...metadata, origin: run.remote.id, thumbnail };
      const result = {
        status: 'updated',
        at: new Date().toISOString(),
        bytes: fetchedBytes,
        reason: warning ?? null,
        attempts: 0,
        next_try_at: null,
      } as const;
      await database.transaction(async (tx) => {
        await run.assertHeld(tx);
        if (!(await remoteRepository(tx).lock(run.remote.id))) throw new MirrorCancelledError();
        const previous = await mirroring.commit(tx, run.actor, { fields, slots });
        if (image || previous?.thumbnail) await thumbnails.mirror(tx, read.id, image);
        await fetchRepository(tx).removeOf(run.remote.id, [read.id]);
        const isSelected = await remoteRepository(tx).put(run.remote.id, read.id, {
          ...result,
          seconds: (performance.now() - startedAt) / 1000,
          // Without a fingerprint, the next run updates the artefact again.
          upstream_state: isTransient ? null : fingerprintOf(read),
        });
        if (!isSelected) throw new MirrorCancelledError();
      });
      for (const fetched of fetchedSlots.values()) await fetched.ingested.blob.settle().catch(() => undefined);
      fetchedSlots.clear();
    }

    /** Fetches the thumbnail; if that fails, the artefact is mirrored without it, with a warning. */
    async function fetchThumbnail({ id, thumbnail }: UpstreamArtefact): Promise<{
      image?: ThumbnailImage & { id: string };
      warning?: string;
      isTransient?: boolean;
    }> {
      if (!thumbnail) return {};
      try {
        const owner = await thumbnails.ownerOf(thumbnail.id);
        if (owner !== undefined && owner !== id) return { warning: 'its thumbnail id is in use by another artefact' };
        const existing = owner === id ? await thumbnails.findWithSize(thumbnail.id) : undefined;
        if (existing) return { image: existing };
        return await thumbnailsOf(run)(async () => {
          const data = await run.upstream.thumbnail(thumbnail.id, run.signal);
          return data
            ? { image: { ...(await thumbnails.convert(data.bytes)), id: thumbnail.id } }
            : { warning: 'its thumbnail is missing' };
        });
      } catch (error) {
        run.signal.throwIfAborted();
        if (!(error instanceof BerthError)) throw error;
        return {
          warning: `its thumbnail cannot be used: ${error.message}`,
          isTransient: error instanceof RemoteUnavailableError,
        };
      }
    }
  };
}

function createQueue(): OneAtATime {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next;
    return next;
  };
}
