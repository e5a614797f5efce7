// The artefacts, their slots and access entries as rows. Lists have a file of their own: list-repository.ts.

import { createHash } from 'node:crypto';
import type { Account, Uploader } from '../access/index.ts';
import { excluded, LIST_VERSION_SHARDS, type ArtefactDocumentsTable, type ArtefactsTable, type Executor, type SlotsTable, type Tx } from '../db/index.ts';
import type { Artefact, Format, Slot } from './artefact.ts';
import { renderDocument } from './document.ts';
import { searchText } from './operations.ts';

export interface StoredArtefact { artefact: Artefact; slots: Slot[] }

/** An artefact as it is to be, with its documents rendered anew; slots and access entries have methods of their own. */
export interface ArtefactUpdate {
  artefact: Artefact;
  slots: readonly Slot[];
  /** Given where access entries stay as they are: unless something that lists choose by differs from it, their counts hold. */
  previous?: Artefact | undefined;
}

/** What decides how a download is answered. */
export interface DownloadFacts { format: Format; public: boolean; lastModifiedSeconds: number; slots: Slot[] }

export function artefactRepository(executor: Executor | Tx) {
  const repository = {
    async findPrivateAccess(id: string): Promise<Account[]> {
      const rows = await executor.selectFrom('artefact_access').selectAll().where('artefact_id', '=', id)
        .orderBy('account_type').orderBy('account_id').orderBy('department').execute();
      return rows.map((row) => ({
        type: row.account_type as Account['type'],
        id: row.account_id,
        ...(row.account_name !== null && { name: row.account_name }),
        ...(row.department !== '' && { department: row.department }),
      }));
    },

    /** Reads what a download depends on in one statement, so that it never mixes two states. */
    async findDownloadFacts(id: string): Promise<DownloadFacts | undefined> {
      const rows = await executor.selectFrom('artefacts').leftJoin('slots', 'artefact_id', 'id')
        .select(['format', 'public', 'last_modified']).selectAll('slots').where('id', '=', id).orderBy('architecture').execute();
      const [first] = rows;
      return first && {
        format: first.format as Format,
        public: first.public === 1,
        lastModifiedSeconds: first.last_modified,
        slots: toSlots(rows),
      };
    },

    async findSlots(id: string): Promise<Slot[]> {
      const rows = await executor.selectFrom('slots').selectAll().where('artefact_id', '=', id).orderBy('architecture').execute();
      return rows.map(toSlot);
    },

    async find(id: string): Promise<StoredArtefact | undefined> { return (await repository.findMany([id])).get(id); },

    /** As find, by id. */
    async findMany(ids: readonly string[]): Promise<Map<string, StoredArtefact>> {
      const found = new Map<string, StoredArtefact>();
      if (ids.length === 0) return found;
      const rows = await executor.selectFrom('artefact_documents as documents').leftJoin('slots', 'slots.artefact_id', 'documents.artefact_id')
        .select(['documents.artefact_id as id', 'record']).selectAll('slots')
        .select((eb) => eb.selectFrom('artefact_access').select(eb.fn.countAll<number>().as('count')).whereRef('artefact_access.artefact_id', '=', 'documents.artefact_id').as('shared'))
        .where('documents.artefact_id', 'in', ids).orderBy('architecture').execute();
      for (const [id, of] of Map.groupBy(rows, (row) => row.id)) {
        const { record, shared } = of[0]!;
        found.set(id, { artefact: { ...JSON.parse(record) as Omit<Artefact, 'privateAccess'>, privateAccess: shared ? await repository.findPrivateAccess(id) : [] }, slots: toSlots(of) });
      }
      return found;
    },

    /** Takes the artefact's lock until the transaction ends, and reads it. */
    async lock(id: string): Promise<StoredArtefact | undefined> { return (await repository.lockMany([id])).get(id); },

    /** As lock, by id. */
    async lockMany(ids: readonly string[]): Promise<Map<string, StoredArtefact>> {
      const locked = await executor.updateTable('artefacts').set((eb) => ({ format: eb.ref('format') })).where('id', 'in', ids).returning('id').execute();
      return repository.findMany(locked.map(({ id }) => id));
    },

    /** Writes new artefacts; returns false when another transaction was first with one of them. */
    async insert(stored: readonly StoredArtefact[]): Promise<boolean> {
      if (stored.length === 0) return true;
      const { numInsertedOrUpdatedRows } = await executor.insertInto('artefacts').values(stored.map(({ artefact }) => toIndexRow(artefact)))
        .onConflict((conflict) => conflict.column('id').doNothing()).executeTakeFirst();
      if (numInsertedOrUpdatedRows !== BigInt(stored.length)) return false;
      await countChanges(stored.map(({ artefact }) => artefact.id));
      await executor.insertInto('artefact_documents').values(stored.map(toDocumentRow)).execute();
      return true;
    },

    /** Writes artefacts that the transaction has locked. */
    async update(updates: readonly ArtefactUpdate[]): Promise<void> {
      if (updates.length === 0) return;
      const changes = updates.map(({ artefact, previous }) => {
        const row = toIndexRow(artefact);
        return { row, columns: changedColumns(previous && toIndexRow(previous), row), isRelisted: !previous };
      });
      await countChanges(changes.filter(({ columns, isRelisted }) => isRelisted || columns.some((column) => !DATES.has(column))).map(({ row }) => row.id));
      for (const alike of Map.groupBy(changes, ({ columns }) => columns.join()).values()) {
        const { columns } = alike[0]!;
        if (columns.length > 0) await executor.insertInto('artefacts').values(alike.map(({ row }) => row)).onConflict((conflict) => conflict.column('id').doUpdateSet(excluded(columns))).execute();
      }
      const documents = updates.map(toDocumentRow);
      await executor.insertInto('artefact_documents').values(documents).onConflict((conflict) => conflict.column('artefact_id').doUpdateSet(excluded(columnsBesides(['artefact_id'], documents[0]!)))).execute();
    },

    /** Writes slots, of which no two are the same. */
    async putSlots(slots: readonly { artefactId: string; slot: Slot }[]): Promise<void> {
      if (slots.length === 0) return;
      const rows = slots.map(({ artefactId, slot }) => toSlotRow(artefactId, slot));
      await executor.insertInto('slots').values(rows).onConflict((conflict) => conflict.columns(['artefact_id', 'architecture']).doUpdateSet(excluded(columnsBesides(['artefact_id', 'architecture'], rows[0]!)))).execute();
    },

    async deleteSlot(artefactId: string, architecture: string): Promise<void> {
      await executor.deleteFrom('slots').where('artefact_id', '=', artefactId).where('architecture', '=', architecture).execute();
    },

    async putPrivateAccess(artefactId: string, accounts: readonly Account[]): Promise<void> {
      await executor.deleteFrom('artefact_access').where('artefact_id', '=', artefactId).execute();
      if (accounts.length === 0) return;
      const rows = accounts.map(({ type, id, name, department }) => ({ artefact_id: artefactId, account_type: type, account_id: id, account_name: name ?? null, department: department ?? '' }));
      await executor.insertInto('artefact_access').values(rows).onConflict((conflict) => conflict.doNothing()).execute();
    },

    /** Lists the artefacts that are shared with an account: an organisation stands for all its departments too. */
    async findSharedWith({ type, id, department }: Account): Promise<string[]> {
      const shared = executor.selectFrom('artefact_access').select('artefact_id').distinct().where('account_type', '=', type).where('account_id', '=', id);
      const rows = await (department ? shared.where('department', '=', department) : shared).orderBy('artefact_id').execute();
      return rows.map((row) => row.artefact_id);
    },

    /** Deletes the artefact with its slots and access entries; their blobs stay for the sweep. */
    async delete(id: string): Promise<void> {
      await countChanges([id]);
      await executor.deleteFrom('artefacts').where('id', '=', id).execute();
    },
  };
  return repository;

  /** Lets lists know that counts which they keep do not hold any more. */
  async function countChanges(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const shards = new Set(ids.map((id) => createHash('sha256').update(id).digest().readUInt8() % LIST_VERSION_SHARDS));
    await executor.updateTable('list_versions').set((eb) => ({ version: eb('version', '+', 1) })).where('shard', 'in', [...shards]).execute();
  }
}

/** No list is chosen by them. */
const DATES = new Set<string>(['data_updated_at', 'last_modified'] satisfies (keyof ArtefactsTable)[]);

/** Which columns of a row are new: all but its key, when nobody knows what it was. */
function changedColumns<Row extends { id: string }>(previous: Row | undefined, next: Row): (keyof Row & string)[] {
  const columns = columnsBesides(['id'], next);
  return previous ? columns.filter((column) => next[column] !== previous[column]) : columns;
}

function columnsBesides<Row extends object>(keys: readonly (keyof Row & string)[], row: Row): (keyof Row & string)[] {
  return (Object.keys(row) as (keyof Row & string)[]).filter((column) => !keys.includes(column));
}

function toIndexRow(artefact: Artefact): Omit<ArtefactsTable, 'seq'> {
  return {
    id: artefact.id,
    format: artefact.format,
    category: artefact.category,
    package_name: artefact.packageName ?? null,
    group_fr: artefact.group?.fr ?? null,
    group_en: artefact.group?.en ?? null,
    public: Number(artefact.public),
    deprecated: Number(artefact.deprecated),
    origin: artefact.origin ?? null,
    data_updated_at: artefact.dataUpdatedAt,
    last_modified: artefact.lastModifiedSeconds,
    search_text: searchText(artefact),
  };
}

function toDocumentRow({ artefact, slots }: Pick<ArtefactUpdate, 'artefact' | 'slots'>): ArtefactDocumentsTable {
  const limited = renderDocument(artefact, slots, 'limited');
  const full = renderDocument(artefact, slots, 'full');
  return { artefact_id: artefact.id, public: Number(artefact.public), record: JSON.stringify({ ...artefact, privateAccess: undefined }), limited_document: limited.json, limited_etag: limited.etag, full_document: full.json, full_etag: full.etag };
}

/** What a left join found. */
function toSlots(rows: readonly { [Column in keyof SlotsTable]: SlotsTable[Column] | null }[]): Slot[] {
  return rows.flatMap((row) => (row.artefact_id === null ? [] : [toSlot(row as SlotsTable)]));
}

function toSlot(row: SlotsTable): Slot {
  return {
    architecture: row.architecture,
    digest: row.digest,
    path: row.path,
    sizeBytes: row.size,
    version: row.version ?? undefined,
    fileName: row.file_name ?? undefined,
    uploadedAt: row.uploaded_at,
    uploadedBy: JSON.parse(row.uploaded_by) as Uploader,
    hasNativeModules: row.has_native_modules === 1,
    hasInstallScripts: row.has_install_scripts === 1,
  };
}

function toSlotRow(artefactId: string, slot: Slot): SlotsTable {
  return {
    artefact_id: artefactId,
    architecture: slot.architecture,
    digest: slot.digest,
    path: slot.path,
    size: slot.sizeBytes,
    version: slot.version ?? null,
    file_name: slot.fileName ?? null,
    uploaded_at: slot.uploadedAt,
    uploaded_by: JSON.stringify(slot.uploadedBy),
    has_native_modules: Number(slot.hasNativeModules),
    has_install_scripts: Number(slot.hasInstallScripts),
  };
}
