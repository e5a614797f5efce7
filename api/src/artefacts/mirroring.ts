// Artefacts that come from another registry: committed whole, all slots at once, and let go of when they become local.
// What is fetched from where is the business of remotes/.

import type { Actor } from '../access/index.ts';
import { appendAudits } from '../audit/index.ts';
import { adoptAll } from '../blobs/index.ts';
import type { Database, Tx } from '../db/index.ts';
import { FILE_SLOT, type Artefact, type Slot } from './artefact.ts';
import { MirroredConflictError } from './errors.ts';
import type { Intake, Taken } from './intake.ts';
import { mirrorRepository } from './mirror-repository.ts';
import { filePath, laterThan, npmPath } from './operations.ts';
import { artefactRepository, type StoredArtefact } from './repository.ts';
import { scanRepository } from './scan-repository.ts';

/** What of an artefact its mirror takes over. */
export type MirroredFields = Pick<Artefact, 'id' | 'format' | 'packageName' | 'version' | 'licence' | 'category' | 'title' | 'description' | 'group' | 'documentation' | 'processingConfigSchema' | 'applicationConfigSchema' | 'thumbnail' | 'deprecated' | 'dataUpdatedAt'> & { origin: string };

/** One slot of a mirror; of a file artefact with FILE_SLOT as its architecture. */
export interface MirroredSlot extends Pick<Slot, 'architecture' | 'digest' | 'sizeBytes' | 'version' | 'fileName' | 'uploadedAt' | 'hasNativeModules' | 'hasInstallScripts'> {
  /** Bytes that have just arrived; without them the digest is here already. */
  arrived?: { taken: Taken; intake: Pick<Intake, 'adoption'> } | undefined;
}

/** A mirror as it is to be. */
export interface MirroredArtefact { fields: MirroredFields; slots: readonly MirroredSlot[] }

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
  /** Finds which of these digests are here, in whatever state. */
  known(digests: readonly string[]): Promise<Set<string>>;
  /** Finds bytes of a digest that are here and sound and, for a tarball, scanned. */
  findBytes(digest: string, format: Artefact['format']): Promise<{ sizeBytes: number } | undefined>;
  /**
   * Writes mirrors in the caller's transaction: their fields, and exactly these slots. `public` and `privateAccess` stay as they are here.
   * @param mirrors at least one, no id twice
   * @returns what they were before, by id
   * @throws mirrored when an id has another origin, or none
   */
  commit(tx: Tx, actor: Actor, mirrors: readonly MirroredArtefact[]): Promise<Map<string, Artefact>>;
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
    known: (digests) => rows.findKnown(digests),
    async findBytes(digest, format) {
      const sizeBytes = await rows.findSize(digest);
      return sizeBytes !== undefined && (format === 'file' || await rows.hasScan(digest)) ? { sizeBytes } : undefined;
    },

    async commit(tx, actor, mirrors) {
      const artefacts = artefactRepository(tx);
      const present = await artefacts.lockMany(mirrors.map(({ fields }) => fields.id));
      const changes: Change[] = [];
      for (const { fields, slots } of mirrors) {
        const stored = present.get(fields.id);
        if (stored && stored.artefact.origin !== fields.origin) throw new MirroredConflictError(`An artefact with this id is here already, and is no mirror of ${fields.origin}.`);
        if (stored && stored.artefact.format !== fields.format) await artefacts.delete(fields.id);
        const previous = stored?.artefact.format === fields.format ? stored : undefined;
        changes.push({ ...merge(stored?.artefact, fields, slots), previous, isReplaced: stored !== undefined && !previous });
      }
      await artefacts.update(changes.flatMap(({ artefact, slots, previous }) => (previous ? [{ artefact, slots, previous: previous.artefact }] : [])));
      if (!await artefacts.insert(changes.filter(({ previous }) => !previous))) throw new ConcurrentCreationError();
      // Several slots may have the same bytes.
      const arrived = [...new Set(mirrors.flatMap(({ slots }) => slots.flatMap((slot) => slot.arrived ?? [])))];
      await adoptAll(tx, arrived.map(({ intake }) => intake.adoption));
      for (const { taken } of arrived) if (taken.scan) await scanRepository(tx).put(taken.blob.digest, taken.scan, taken.fileIndex);
      await artefacts.putSlots(changes.flatMap(({ artefact, slots }) => slots.map((slot) => ({ artefactId: artefact.id, slot }))));
      for (const { artefact, slots, previous, isReplaced } of changes) {
        for (const { architecture } of previous?.slots ?? []) {
          if (!slots.some((slot) => slot.architecture === architecture)) await artefacts.deleteSlot(artefact.id, architecture);
        }
        // Who may see it stays, though the access list has gone with the old artefact.
        if (isReplaced) await artefacts.putPrivateAccess(artefact.id, artefact.privateAccess);
      }
      await appendAudits(tx, actor, changes.map(({ artefact, slots }) => ({
        action: 'artefact.mirror', targetType: 'artefact', targetId: artefact.id,
        details: { origin: artefact.origin, dataUpdatedAt: artefact.dataUpdatedAt, digests: Object.fromEntries(slots.map((slot) => [slot.architecture, slot.digest])) },
      })));
      return new Map([...present].map(([id, { artefact }]) => [id, artefact]));
    },

    async detach(tx, origin, ids) {
      const artefacts = artefactRepository(tx);
      for (const id of await mirrorRepository(tx).ids(origin, ids)) {
        const stored = await artefacts.lock(id);
        if (stored) await artefacts.update([{ ...stored, artefact: { ...stored.artefact, origin: undefined, updatedAt: laterThan(new Date(), stored.artefact.updatedAt) } }]);
      }
    },
  };
}

/** What becomes of one mirror; `isReplaced` when it was of another format. */
interface Change extends StoredArtefact { previous: StoredArtefact | undefined; isReplaced: boolean }

function merge(previous: Artefact | undefined, fields: MirroredFields, slots: readonly MirroredSlot[]): StoredArtefact {
  const now = new Date();
  const seconds = Math.floor(Date.parse(fields.dataUpdatedAt) / 1000);
  const moved = previous?.dataUpdatedAt !== fields.dataUpdatedAt;
  const artefact: Artefact = {
    public: false, privateAccess: [], createdAt: now.toISOString(),
    ...previous,
    ...fields,
    uploadedBy: { internal: true },
    updatedAt: laterThan(now, previous?.updatedAt),
    lastModifiedSeconds: previous ? Math.max(seconds, previous.lastModifiedSeconds + (moved ? 1 : 0)) : seconds,
  };
  const next = slots.map(({ architecture, digest, sizeBytes, version, fileName, uploadedAt, hasNativeModules, hasInstallScripts }): Slot => ({
    architecture, digest, sizeBytes, version, fileName, uploadedAt, hasNativeModules, hasInstallScripts,
    uploadedBy: { internal: true },
    path: architecture === FILE_SLOT ? filePath(fields.id, fileName ?? fields.id, digest) : npmPath(fields.id, architecture, digest),
  }));
  return { artefact, slots: next.sort((a, b) => (a.architecture < b.architecture ? -1 : 1)) };
}

/** Makes the transaction run again: the artefact was created by somebody else between our look and our insert. */
class ConcurrentCreationError extends Error { readonly code = '40001'; }
