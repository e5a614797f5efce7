// The artefacts, their slots and access entries as rows. Lists have a file of their own: list-repository.ts.

import type { CompiledQuery } from 'kysely';
import type { Account, Uploader } from '../access/index.ts';
import type { ArtefactsTable, Executor, SlotsTable, Tx } from '../db/index.ts';
import type { Artefact, Format, LocalisedText, Slot } from './artefact.ts';
import { renderDocument, type Audience, type RenderedDocument } from './document.ts';
import { lastUploaded, searchText } from './operations.ts';

export interface StoredArtefact { artefact: Artefact; slots: Slot[] }

/** What decides how a download is answered. */
export interface DownloadFacts { format: Format; public: boolean; lastModifiedSeconds: number; slots: Slot[] }

/** A rendered document, and what decides who may see it. */
export interface DocumentRow extends RenderedDocument { public: boolean }

type DocumentColumns = { public: number; json: string; etag: string };

export function artefactRepository(executor: Executor | Tx) {
  // Compiled once for each audience: building the query anew would cost more than running it.
  const documentById: Partial<Record<Audience, CompiledQuery<DocumentColumns>>> = {};

  const repository = {
    async findDocument(id: string, audience: Audience): Promise<DocumentRow | undefined> {
      const column = audience === 'full' ? 'full_document' : 'document';
      const query = documentById[audience] ??= executor.selectFrom('artefacts').select(['public', `${column} as json`, `${column}_etag as etag`]).where('id', '=', id).compile();
      const { rows: [row] } = await executor.executeQuery<DocumentColumns>({ ...query, parameters: [id] });
      return row && { json: row.json, etag: row.etag, public: row.public === 1 };
    },

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

    async findDownloadFacts(id: string): Promise<DownloadFacts | undefined> {
      const row = await executor.selectFrom('artefacts').select(['format', 'public', 'last_modified']).where('id', '=', id).executeTakeFirst();
      return row && { format: row.format as Format, public: row.public === 1, lastModifiedSeconds: row.last_modified, slots: await repository.findSlots(id) };
    },

    async findSlots(id: string): Promise<Slot[]> {
      const rows = await executor.selectFrom('slots').selectAll().where('artefact_id', '=', id).orderBy('architecture').execute();
      return rows.map(toSlot);
    },

    async find(id: string): Promise<StoredArtefact | undefined> {
      const row = await executor.selectFrom('artefacts').selectAll().where('id', '=', id).executeTakeFirst();
      return row && { artefact: toArtefact(row, await repository.findPrivateAccess(id)), slots: await repository.findSlots(id) };
    },

    /** Takes the artefact's lock until the transaction ends, and reads it. */
    async lock(id: string): Promise<StoredArtefact | undefined> {
      const { numUpdatedRows } = await executor.updateTable('artefacts').set((eb) => ({ version: eb.ref('version') })).where('id', '=', id).executeTakeFirst();
      return numUpdatedRows === 0n ? undefined : repository.find(id);
    },

    /** Writes a new artefact; returns false when another transaction was first. */
    async insert(artefact: Artefact, slots: readonly Slot[]): Promise<boolean> {
      const { numInsertedOrUpdatedRows } = await executor.insertInto('artefacts').values(toRow(artefact, slots))
        .onConflict((conflict) => conflict.column('id').doNothing()).executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },

    /** Writes the artefact's row with its documents rendered anew; slots and access entries have methods of their own. */
    async update(artefact: Artefact, slots: readonly Slot[]): Promise<void> {
      await executor.updateTable('artefacts').set(toRow(artefact, slots)).where('id', '=', artefact.id).execute();
    },

    async putSlot(artefactId: string, slot: Slot): Promise<void> {
      const row = toSlotRow(artefactId, slot);
      await executor.insertInto('slots').values(row).onConflict((conflict) => conflict.columns(['artefact_id', 'architecture']).doUpdateSet(row)).execute();
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
    async delete(id: string): Promise<void> { await executor.deleteFrom('artefacts').where('id', '=', id).execute(); },
  };
  return repository;
}

function toRow(artefact: Artefact, slots: readonly Slot[]): Omit<ArtefactsTable, 'seq'> {
  const limited = renderDocument(artefact, slots, 'limited');
  const full = renderDocument(artefact, slots, 'full');
  return {
    id: artefact.id,
    format: artefact.format,
    package_name: artefact.packageName ?? null,
    version: artefact.version ?? null,
    licence: artefact.licence ?? null,
    category: artefact.category,
    title: toJson(artefact.title),
    description: toJson(artefact.description),
    group_fr: artefact.group?.fr ?? null,
    group_en: artefact.group?.en ?? null,
    documentation: artefact.documentation ?? null,
    processing_config_schema: toJson(artefact.processingConfigSchema),
    application_config_schema: toJson(artefact.applicationConfigSchema),
    thumbnail: toJson(artefact.thumbnail),
    public: Number(artefact.public),
    deprecated: Number(artefact.deprecated),
    origin: artefact.origin ?? null,
    uploaded_by: JSON.stringify(artefact.uploadedBy),
    size: lastUploaded(slots)?.sizeBytes ?? 0,
    created_at: artefact.createdAt,
    updated_at: artefact.updatedAt,
    data_updated_at: artefact.dataUpdatedAt,
    last_modified: artefact.lastModifiedSeconds,
    search_text: searchText(artefact),
    document: limited.json,
    document_etag: limited.etag,
    full_document: full.json,
    full_document_etag: full.etag,
  };
}

function toArtefact(row: Omit<ArtefactsTable, 'seq'>, privateAccess: Account[]): Artefact {
  return {
    id: row.id,
    format: row.format as Format,
    packageName: row.package_name ?? undefined,
    version: row.version ?? undefined,
    licence: row.licence ?? undefined,
    category: row.category,
    title: fromJson<LocalisedText>(row.title),
    description: fromJson<LocalisedText>(row.description),
    group: toGroup(row),
    documentation: row.documentation ?? undefined,
    processingConfigSchema: fromJson(row.processing_config_schema),
    applicationConfigSchema: fromJson(row.application_config_schema),
    thumbnail: fromJson(row.thumbnail),
    public: row.public === 1,
    privateAccess,
    deprecated: row.deprecated === 1,
    origin: row.origin ?? undefined,
    uploadedBy: JSON.parse(row.uploaded_by) as Uploader,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    dataUpdatedAt: row.data_updated_at,
    lastModifiedSeconds: row.last_modified,
  };
}

function toGroup({ group_fr: fr, group_en: en }: Pick<ArtefactsTable, 'group_fr' | 'group_en'>): LocalisedText | undefined {
  if (fr === null && en === null) return undefined;
  return { ...(fr !== null && { fr }), ...(en !== null && { en }) };
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

function toJson(value: unknown): string | null { return value === undefined ? null : JSON.stringify(value); }

function fromJson<T>(text: string | null): T | undefined { return text === null ? undefined : JSON.parse(text) as T; }
