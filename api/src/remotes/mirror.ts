// One artefact of a remote registry: what differs is fetched, and when all of it is here and right, it is swapped in
// at once.

import type { Actor } from '../access/index.ts';
import type { MirroredSlot, Mirroring } from '../artefacts/index.ts';
import type { Database, Tx } from '../db/index.ts';
import { BerthError } from '../errors.ts';
import type { ThumbnailImage, ThumbnailService } from '../thumbnails/index.ts';
import {
  fingerprintOf,
  RemoteAnswerInvalidError,
  RemoteUnavailableError,
  SlotMovedError,
  sourceOf,
  type Upstream,
  type UpstreamArtefact,
  type UpstreamSlot,
} from '../upstream/index.ts';
import { fetchRepository, type StoredFetch } from './fetch-repository.ts';
import type { Fetched, Fetcher } from './fetch.ts';
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

/** What all artefacts of a run have in common. */
export interface MirrorRun {
  remote: Pick<Remote, 'id'>;
  actor: Actor;
  upstream: Upstream;
  signal: AbortSignal;
  /** Refuses a commit when another replica has taken over. */
  assertHeld: (tx: Tx) => Promise<void>;
}

export interface MirrorOrder {
  run: MirrorRun;
  artefact: UpstreamArtefact;
  onBytes: (count: number) => void;
  /** What earlier runs have left of it, by architecture. */
  begun: ReadonlyMap<string, StoredFetch>;
}

/** The artefact was unselected, or the registry removed, while it was fetched. */
export class NotWantedError extends Error {
  override readonly name = 'NotWantedError';
}

/**
 * Brings the mirror of an artefact to the remote's state and notes the result, or throws and leaves it as it was.
 * @throws NotWantedError, and what Fetcher.fetch throws
 */
export type MirrorArtefact = (order: MirrorOrder) => Promise<void>;

/** An artefact that changes each time it is read is left for the next run. */
const MAX_ATTEMPTS = 4;

export function createMirror({
  database,
  mirroring,
  thumbnails,
  fetcher,
  assertFreeSpace,
}: MirrorOptions): MirrorArtefact {
  return async (order) => {
    const { run } = order;
    const startedAt = performance.now();
    const arrived = new Map<string, Fetched>();
    const idOf = (slot: UpstreamSlot) => ({
      remoteId: run.remote.id,
      artefactId: order.artefact.id,
      architecture: slot.architecture,
    });
    let { artefact } = order;
    let bytes = 0;
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          const slots = await gather(artefact);
          await assertStill(artefact);
          return await commit(artefact, slots);
        } catch (error) {
          if (!(error instanceof SlotMovedError)) throw error;
          if (attempt === MAX_ATTEMPTS)
            throw new RemoteAnswerInvalidError('It changes at the remote registry faster than it can be fetched.', {
              cause: error,
            });
          artefact = await readAgain(artefact, error);
        }
      }
    } finally {
      for (const [source, fetched] of arrived) {
        const slot = artefact.slots.find((it) => sourceOf(it) === source);
        if (slot) await fetcher.release(idOf(slot), fetched).catch(() => undefined);
        else await fetched.ingested.blob.abort().catch(() => undefined);
      }
    }

    async function gather({ id, format, slots }: UpstreamArtefact): Promise<MirroredSlot[]> {
      // What is here already matters only where the document leaves something out.
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
        // Without a digest, bytes that were uploaded at the same moment are the same.
        const digest =
          slot.digest ??
          (present?.uploadedAt === slot.uploadedAt && present.sizeBytes === (slot.sizeBytes ?? present.sizeBytes)
            ? present.digest
            : undefined);
        const known =
          !arrived.has(source) && digest !== undefined ? await mirroring.findBytes(digest, format) : undefined;
        const fetched = known ? undefined : (arrived.get(source) ?? (await fetch(slot, format)));
        if (fetched) arrived.set(source, fetched);
        const blob = known ?? fetched!.ingested.blob;
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
          arrived: fetched?.ingested,
        });
      }
      return mirrored;
    }

    async function fetch(slot: UpstreamSlot, format: UpstreamArtefact['format']): Promise<Fetched> {
      const { upstream, signal } = run;
      const stored = order.begun.get(slot.architecture);
      if (!stored && slot.sizeBytes !== undefined) await assertFreeSpace(slot.sizeBytes);
      const fetched = await fetcher.fetch({
        upstream,
        id: idOf(slot),
        format,
        slot,
        stored,
        signal,
        onBytes: order.onBytes,
      });
      bytes += fetched.fetchedBytes;
      return fetched;
    }

    /** Bytes that no digest ties to the document may be newer than it. */
    async function assertStill(read: UpstreamArtefact): Promise<void> {
      if (arrived.size === 0 || read.slots.every(({ digest }) => digest !== undefined)) return;
      const now = await run.upstream.artefact(read.id, run.signal);
      if (!now || now.dataUpdatedAt !== read.dataUpdatedAt) {
        // Which of them are still right cannot be told.
        for (const fetched of arrived.values()) await fetched.ingested.blob.abort();
        arrived.clear();
        throw new SlotMovedError('the artefact has changed meanwhile');
      }
    }

    /** @throws remote_answer_invalid when the document is as it was: then it was not its time that made it wrong */
    async function readAgain(read: UpstreamArtefact, moved: SlotMovedError): Promise<UpstreamArtefact> {
      const now = await run.upstream.artefact(read.id, run.signal);
      if (!now) throw new RemoteAnswerInvalidError('It has gone from the remote registry while it was fetched.');
      if (fingerprintOf(now) === fingerprintOf(read))
        throw new RemoteAnswerInvalidError(`The remote registry contradicts itself: ${moved.message}.`);
      const sources = new Set(now.slots.map(sourceOf));
      for (const [source, fetched] of arrived) {
        if (sources.has(source)) continue;
        arrived.delete(source);
        await fetched.ingested.blob.abort();
      }
      return now;
    }

    async function commit(read: UpstreamArtefact, slots: MirroredSlot[]): Promise<void> {
      const { image, note, isPassing } = await fetchThumbnail(read);
      const thumbnail = image && { id: image.id, width: image.width, height: image.height };
      const fields = { ...mirroredFields(read), origin: run.remote.id, thumbnail };
      const rest = {
        status: 'updated',
        at: new Date().toISOString(),
        bytes,
        reason: note ?? null,
        attempts: 0,
        next_try_at: null,
      } as const;
      await database.transaction(async (tx) => {
        await run.assertHeld(tx);
        if (!(await remoteRepository(tx).lock(run.remote.id))) throw new NotWantedError();
        const previous = await mirroring.commit(tx, run.actor, { fields, slots });
        if (image || previous?.thumbnail) await thumbnails.mirror(tx, read.id, image);
        await fetchRepository(tx).removeOf(run.remote.id, [read.id]);
        const isWanted = await remoteRepository(tx).put(run.remote.id, read.id, {
          ...rest,
          seconds: (performance.now() - startedAt) / 1000,
          // Without it, the next run compares everything anew.
          upstream_state: isPassing ? null : fingerprintOf(read),
        });
        if (!isWanted) throw new NotWantedError();
      });
      for (const fetched of arrived.values()) await fetched.ingested.blob.settle().catch(() => undefined);
      arrived.clear();
    }

    /** An image that cannot be had does not keep the artefact away. */
    async function fetchThumbnail({
      id,
      thumbnail,
    }: UpstreamArtefact): Promise<{ image?: ThumbnailImage & { id: string }; note?: string; isPassing?: boolean }> {
      if (!thumbnail) return {};
      try {
        const owner = await thumbnails.ownerOf(thumbnail.id);
        if (owner !== undefined && owner !== id) return { note: "its thumbnail has the id of another artefact's" };
        const present = owner === id ? await thumbnails.findWithSize(thumbnail.id) : undefined;
        if (present) return { image: present };
        const data = await run.upstream.thumbnail(thumbnail.id, run.signal);
        return data
          ? { image: { ...(await thumbnails.make(data.bytes)), id: thumbnail.id } }
          : { note: 'its thumbnail is missing' };
      } catch (error) {
        run.signal.throwIfAborted();
        if (!(error instanceof BerthError)) throw error;
        return {
          note: `its thumbnail cannot be used: ${error.message}`,
          isPassing: error instanceof RemoteUnavailableError,
        };
      }
    }
  };
}

function mirroredFields({
  id,
  format,
  packageName,
  version,
  licence,
  category,
  title,
  description,
  group,
  documentation,
  processingConfigSchema,
  applicationConfigSchema,
  deprecated,
  dataUpdatedAt,
}: UpstreamArtefact) {
  return {
    id,
    format,
    packageName,
    version,
    licence,
    category,
    title,
    description,
    group,
    documentation,
    processingConfigSchema,
    applicationConfigSchema,
    deprecated,
    dataUpdatedAt,
  };
}
