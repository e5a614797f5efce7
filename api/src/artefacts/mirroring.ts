// Artefacts that come from another registry: committed whole, all slots at once, and detached when they become local.
// What is fetched from where is the business of remotes/.

import type { Actor } from '../access/index.ts';
import { appendAudit } from '../audit/index.ts';
import type { Database, Tx } from '../db/index.ts';
import type { Digest } from '../digests/index.ts';
import { FILE_SLOT, type Artefact, type Slot } from './artefact.ts';
import { renderDocuments } from './document.ts';
import { MirroredConflictError } from './errors.ts';
import type { Ingested } from './ingest.ts';
import { mirrorRepository } from './mirror-repository.ts';
import { filePath, laterThan, npmPath } from './operations.ts';
import { artefactRepository, type StoredArtefact } from './repository.ts';
import { scanRepository } from './scan-repository.ts';

/** What of an artefact its mirror takes over. */
export type MirroredFields = Pick<
  Artefact,
  | 'id'
  | 'format'
  | 'packageName'
  | 'version'
  | 'licence'
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

/** One slot of a mirror; of a file artefact with FILE_SLOT as its architecture. */
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
  /** Bytes that have just arrived; without them the digest is here already. */
  arrived?: Ingested | undefined;
}

/** A mirror as it is to be. */
export interface MirroredArtefact {
  fields: MirroredFields;
  slots: readonly MirroredSlot[];
}

export interface Mirroring {
  /** Reads the slots of all mirrors of a registry: digest by architecture, by id. */
  digests(origin: string): Promise<Map<string, Map<string, string>>>;
  /** Reads where artefacts come from, by id; `''` for those of this registry. */
  origins(ids: readonly string[]): Promise<Map<string, string>>;
  /** Reads category and date of each mirror of a registry, by id. */
  overview(origin: string, tx?: Tx): Promise<Map<string, { category: string; dataUpdatedAt: string }>>;
  /** Where one artefact comes from, `''` for one of this registry; undefined when there is none. */
  originOf(tx: Tx, id: string): Promise<string | undefined>;
  slots(id: string): Promise<Slot[]>;
  /** Finds bytes of a digest that are here and sound and, for a tarball, scanned. */
  findBytes(digest: Digest, format: Artefact['format']): Promise<{ digest: Digest; sizeBytes: number } | undefined>;
  /**
   * Writes a mirror in the caller's transaction: its fields, and exactly these slots. `public` and `privateAccess`
   * stay as they are here.
   * @returns what it was before
   * @throws mirrored when the id has another origin, or none /
   */
  commit(tx: Tx, actor: Actor, mirror: MirroredArtefact): Promise<Artefact | undefined>;
  /** Makes mirrors of a registry local artefacts, all or those of these ids. */
  detach(tx: Tx, origin: string, ids?: readonly string[]): Promise<void>;
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

    async commit(tx, actor, { fields, slots: mirrored }) {
      const artefacts = artefactRepository(tx);
      const stored = await artefacts.lock(fields.id);
      if (stored && stored.artefact.origin !== fields.origin)
        throw new MirroredConflictError(
          `An artefact with this id is here already, and is no mirror of ${fields.origin}.`,
        );
      const previous = stored?.artefact.format === fields.format ? stored : undefined;
      const { artefact, slots } = merge(stored?.artefact, fields, mirrored);
      const documents = renderDocuments(artefact, slots);
      if (stored && !previous) await artefacts.delete(fields.id);
      if (previous) await artefacts.update(artefact, documents, previous.artefact);
      else if (!(await artefacts.insert(artefact, documents))) throw new ConcurrentCreationError();
      // Several slots may have the same bytes. In the order of digests, so that two mirrors do not lock each other
      // out.
      const arrived = [...new Set(mirrored.flatMap((slot) => slot.arrived ?? []))].sort((one, other) =>
        one.blob.digest < other.blob.digest ? -1 : 1,
      );
      for (const { blob } of arrived) await blob.adopt(tx);
      for (const { blob, scan, fileIndex } of arrived)
        if (scan) await scanRepository(tx).put(blob.digest, scan, fileIndex);
      for (const slot of slots) await artefacts.putSlot(artefact.id, slot);
      for (const { architecture } of previous?.slots ?? []) {
        if (!slots.some((slot) => slot.architecture === architecture))
          await artefacts.deleteSlot(artefact.id, architecture);
      }
      // Who may see it stays, though the access list has gone with the old artefact.
      if (stored && !previous) await artefacts.putPrivateAccess(artefact.id, artefact.privateAccess);
      await appendAudit(tx, actor, {
        action: 'artefact.mirror',
        targetType: 'artefact',
        targetId: artefact.id,
        details: {
          origin: artefact.origin,
          dataUpdatedAt: artefact.dataUpdatedAt,
          digests: Object.fromEntries(slots.map((slot) => [slot.architecture, slot.digest])),
        },
      });
      return stored?.artefact;
    },

    async detach(tx, origin, ids) {
      const artefacts = artefactRepository(tx);
      for (const id of await mirrorRepository(tx).ids(origin, ids)) {
        const stored = await artefacts.lock(id);
        if (!stored) continue;
        const artefact = {
          ...stored.artefact,
          origin: undefined,
          updatedAt: laterThan(new Date(), stored.artefact.updatedAt),
        };
        await artefacts.update(artefact, renderDocuments(artefact, stored.slots));
      }
    },
  };
}

function merge(
  previous: Artefact | undefined,
  fields: MirroredFields,
  slots: readonly MirroredSlot[],
): StoredArtefact {
  const now = new Date();
  const seconds = Math.floor(Date.parse(fields.dataUpdatedAt) / 1000);
  const moved = previous?.dataUpdatedAt !== fields.dataUpdatedAt;
  const artefact: Artefact = {
    public: false,
    privateAccess: [],
    createdAt: now.toISOString(),
    ...previous,
    ...fields,
    uploadedBy: { internal: true },
    updatedAt: laterThan(now, previous?.updatedAt),
    lastModifiedSeconds: previous ? Math.max(seconds, previous.lastModifiedSeconds + (moved ? 1 : 0)) : seconds,
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
      uploadedBy: { internal: true },
      path:
        architecture === FILE_SLOT
          ? filePath(fields.id, fileName ?? fields.id, digest)
          : npmPath(fields.id, architecture, digest),
    }),
  );
  return { artefact, slots: next.sort((a, b) => (a.architecture < b.architecture ? -1 : 1)) };
}

/** Makes the transaction run again: the artefact was created by somebody else between our look and our insert. */
class ConcurrentCreationError extends Error {
  readonly code = '40001';
}
