// Mirrors: artefacts of another registry. They are committed with all slots at once, and detached when they become
// local. remotes/ decides what to fetch from where.

import type { CurrentActor } from '../access/index.ts';
import type { Database, Tx } from '../db/index.ts';
import type { Digest } from '../digests/index.ts';
import { recordChange } from '../events/index.ts';
import { editEvents, mirrorEvents } from './artefact-events.ts';
import { FILE_SLOT, type Artefact, type Slot } from './artefact.ts';
import { renderDocuments } from './document.ts';
import { MirroredConflictError } from './errors.ts';
import type { IngestResult } from './ingest.ts';
import { mirrorRepository } from './mirror-repository.ts';
import { filePath, monotonicDate, npmPath } from './operations.ts';
import { artefactRepository, type StoredArtefact } from './repository.ts';
import { scanRepository } from './scan-repository.ts';

/** Fields that a mirror copies from its original. */
export type MirroredFields = Pick<
  Artefact,
  | 'id'
  | 'format'
  | 'packageName'
  | 'version'
  | 'licence'
  | 'packageDescription'
  | 'keywords'
  | 'links'
  | 'category'
  | 'title'
  | 'description'
  | 'group'
  | 'documentation'
  | 'processingConfigSchema'
  | 'applicationConfigSchema'
  | 'thumbnail'
  | 'deprecated'
  | 'dataUpdatedAt'
> & { origin: string };

/** One slot of a mirror. The architecture of a file artefact is FILE_SLOT. */
export interface MirroredSlot extends Pick<
  Slot,
  | 'architecture'
  | 'digest'
  | 'sizeBytes'
  | 'version'
  | 'fileName'
  | 'uploadedAt'
  | 'hasNativeModules'
  | 'hasInstallScripts'
> {
  /** The bytes just fetched; undefined if a blob with this digest is already stored. */
  ingested?: IngestResult | undefined;
}

/** The desired state of a mirror. */
export interface MirroredArtefact {
  fields: MirroredFields;
  slots: readonly MirroredSlot[];
}

export interface Mirroring {
  /** Reads the slots of all mirrors of a registry: artefact id → architecture → digest. */
  digests(origin: string): Promise<Map<string, Map<string, string>>>;
  /** Reads the origins of artefacts, by id; `''` for artefacts of this registry. */
  origins(ids: readonly string[]): Promise<Map<string, string>>;
  /** Reads category and date of each mirror of a registry, by artefact id. */
  overview(origin: string, tx?: Tx): Promise<Map<string, { category: string; dataUpdatedAt: string }>>;
  /** Returns the origin of an artefact, `''` for one of this registry; undefined if it does not exist. */
  originOf(tx: Tx, id: string): Promise<string | undefined>;
  slots(id: string): Promise<Slot[]>;
  /** Finds an intact stored blob, which for a tarball has also been scanned. */
  findBytes(digest: Digest, format: Artefact['format']): Promise<{ digest: Digest; sizeBytes: number } | undefined>;
  /**
   * Writes a mirror in the caller's transaction: its fields, and exactly these slots. Keeps the local `public` and
   * `privateAccess`.
   * @returns the artefact as it was before
   * @throws mirrored if an artefact with this id has another origin, or none
   */
  commit(tx: Tx, actor: CurrentActor, mirror: MirroredArtefact): Promise<Artefact | undefined>;
  /** Turns mirrors of a registry into local artefacts: all, or those in `ids`. */
  detach(tx: Tx, actor: CurrentActor, origin: string, ids?: readonly string[]): Promise<void>;
}

export function createMirroring({ database }: { database: Database }): Mirroring {
  const rows = mirrorRepository(database.db);
  return {
    digests: (origin) => rows.digests(origin),
    origins: (ids) => rows.origins(ids),
    overview: (origin, tx) => (tx ? mirrorRepository(tx) : rows).overview(origin),
    originOf: (tx, id) => mirrorRepository(tx).originOf(id),
    slots: (id) => artefactRepository(database.db).findSlots(id),
    async findBytes(digest, format) {
      const sizeBytes = await rows.findSize(digest);
      return sizeBytes !== undefined && (format === 'file' || (await rows.hasScan(digest)))
        ? { digest, sizeBytes }
        : undefined;
    },

    async commit(tx, actor, { fields, slots: mirroredSlots }) {
      const artefacts = artefactRepository(tx);
      const stored = await artefacts.lock(fields.id);
      if (stored && stored.artefact.origin !== fields.origin)
        throw new MirroredConflictError(
          `An artefact with this id is here already and is not a mirror of ${fields.origin}.`,
        );
      const previous = stored?.artefact.format === fields.format ? stored : undefined;
      const { artefact, slots } = merge(stored?.artefact, fields, mirroredSlots);
      for (const slot of slots) {
        const scan = mirroredSlots.find(({ architecture }) => architecture === slot.architecture)?.ingested?.scan;
        // Bytes that were here already have been scanned before.
        const { warnings, hasNativeCode } = scan ?? (await scanRepository(tx).findFacts(slot.digest));
        Object.assign(slot, { warnings, hasNativeCode });
      }
      const documents = renderDocuments(artefact, slots);
      if (stored && !previous) await artefacts.delete(fields.id);
      if (previous) await artefacts.update(artefact, documents, previous);
      else await artefacts.insert(artefact, documents);
      // Several slots may have the same bytes. Blobs are locked in the order of their digests, so that concurrent
      // commits cannot deadlock.
      const ingests = [...new Set(mirroredSlots.flatMap((slot) => slot.ingested ?? []))].sort((one, other) =>
        one.blob.digest < other.blob.digest ? -1 : 1,
      );
      for (const { blob } of ingests) await blob.adopt(tx);
      for (const { blob, scan, fileIndex } of ingests)
        if (scan) await scanRepository(tx).put(blob.digest, scan, fileIndex);
      for (const slot of slots) await artefacts.putSlot(artefact.id, slot);
      for (const { architecture } of previous?.slots ?? []) {
        if (!slots.some((slot) => slot.architecture === architecture))
          await artefacts.deleteSlot(artefact.id, architecture);
      }
      // Replacing the artefact deleted its access list.
      if (stored && !previous) await artefacts.putPrivateAccess(artefact.id, artefact.privateAccess);
      await recordChange(tx, actor, {
        action: 'artefact.mirror',
        targetType: 'artefact',
        targetId: artefact.id,
        details: {
          origin: artefact.origin,
          dataUpdatedAt: artefact.dataUpdatedAt,
          digests: Object.fromEntries(slots.map((slot) => [slot.architecture, slot.digest])),
        },
        events: mirrorEvents(stored, { artefact, slots }),
      });
      return stored?.artefact;
    },

    async detach(tx, actor, origin, ids) {
      const artefacts = artefactRepository(tx);
      for (const id of await mirrorRepository(tx).ids(origin, ids)) {
        const stored = await artefacts.lock(id);
        if (!stored) continue;
        const artefact = {
          ...stored.artefact,
          origin: undefined,
          updatedAt: monotonicDate(new Date(), stored.artefact.updatedAt),
        };
        await artefacts.update(artefact, renderDocuments(artefact, stored.slots));
        await recordChange(tx, actor, {
          action: 'artefact.detach',
          targetType: 'artefact',
          targetId: id,
          details: { origin },
          events: editEvents(stored.artefact, artefact),
        });
      }
    },
  };
}

function merge(
  previous: Artefact | undefined,
  fields: MirroredFields,
  slots: readonly MirroredSlot[],
): Pick<StoredArtefact, 'artefact' | 'slots'> {
  const now = new Date();
  const seconds = Math.floor(Date.parse(fields.dataUpdatedAt) / 1000);
  const hasNewData = previous?.dataUpdatedAt !== fields.dataUpdatedAt;
  const artefact: Artefact = {
    public: false,
    privateAccess: [],
    createdAt: now.toISOString(),
    ...previous,
    ...fields,
    uploadedBy: { internal: true },
    updatedAt: monotonicDate(now, previous?.updatedAt),
    lastModifiedSeconds: previous ? Math.max(seconds, previous.lastModifiedSeconds + (hasNewData ? 1 : 0)) : seconds,
  };
  const next = slots.map(
    ({
      architecture,
      digest,
      sizeBytes,
      version,
      fileName,
      uploadedAt,
      hasNativeModules,
      hasInstallScripts,
    }): Slot => ({
      architecture,
      digest,
      sizeBytes,
      version,
      fileName,
      uploadedAt,
      hasNativeModules,
      hasInstallScripts,
      warnings: [],
      uploadedBy: { internal: true },
      path:
        architecture === FILE_SLOT
          ? filePath(fields.id, fileName ?? fields.id, digest)
          : npmPath(fields.id, architecture, digest),
    }),
  );
  return { artefact, slots: next.sort((a, b) => (a.architecture < b.architecture ? -1 : 1)) };
}
