// Stores artefacts, slots and access entries. list-repository.ts lists them.

import { createHash } from 'node:crypto';
import type { Account } from '../access/index.ts';
import {
  LIST_VERSION_SHARDS,
  rowBatches,
  versionKey,
  type ArtefactDocumentsTable,
  type ArtefactsTable,
  type Executor,
  type Tx,
} from '../db/index.ts';
import type { Artefact, Format, Slot } from './artefact.ts';
import { IS_OUTDATED } from './document-repository.ts';
import { DOCUMENT_VERSION, type Documents } from './document.ts';
import { searchText } from './operations.ts';
import { SCAN_FACTS } from './scan-repository.ts';
import { toSlot, toSlotRow, toSlots, withShortId } from './slot-repository.ts';

export interface StoredArtefact {
  artefact: Artefact;
  slots: Slot[];
  /** Whether an older version of the program has rendered its documents and written its columns. */
  isOutdated: boolean;
}

/** The data that determines the response to a download. */
export interface DownloadFacts {
  format: Format;
  public: boolean;
  lastModifiedSeconds: number;
  slots: Slot[];
}

/** Makes the transaction retry, by the SQLSTATE of a serialisation failure. */
class ConcurrentCreationError extends Error {
  readonly code = '40001';
}

export function artefactRepository(executor: Executor | Tx) {
  const repository = {
    async findPrivateAccess(id: string): Promise<Account[]> {
      const rows = await executor
        .selectFrom('artefact_access')
        .selectAll()
        .where('artefact_id', '=', id)
        .orderBy('account_type')
        .orderBy('account_id')
        .orderBy('department')
        .execute();
      return rows.map((row) => ({
        type: row.account_type as Account['type'],
        id: row.account_id,
        ...(row.account_name !== null && { name: row.account_name }),
        ...(row.department !== '' && { department: row.department }),
      }));
    },

    /** Reads the data for a download in one statement, so that it never mixes two states; without facts of scans. */
    async findDownloadFacts(id: string): Promise<DownloadFacts | undefined> {
      const rows = await executor
        .selectFrom('artefacts')
        .leftJoin('slots', 'artefact_id', 'id')
        .select(['format', 'public', 'last_modified'])
        .selectAll('slots')
        .where('id', '=', id)
        .orderBy('architecture')
        .execute();
      const [first] = rows;
      return (
        first && {
          format: first.format as Format,
          public: first.public === 1,
          lastModifiedSeconds: first.last_modified,
          slots: toSlots(rows),
        }
      );
    },

    async findSlots(id: string): Promise<Slot[]> {
      const rows = await executor
        .selectFrom('slots')
        .leftJoin('tarball_scans', 'tarball_scans.digest', 'slots.digest')
        .selectAll('slots')
        .select([...SCAN_FACTS])
        .where('artefact_id', '=', id)
        .orderBy('architecture')
        .execute();
      return rows.map(toSlot);
    },

    find: async (id: string): Promise<StoredArtefact | undefined> => (await repository.findAll([id]))[0],

    /** Reads the artefacts that exist, in the order of their IDs. */
    async findAll(ids: readonly string[]): Promise<StoredArtefact[]> {
      const rows = await executor
        .selectFrom('artefact_documents as documents')
        .leftJoin('slots', 'slots.artefact_id', 'documents.artefact_id')
        .leftJoin('tarball_scans', 'tarball_scans.digest', 'slots.digest')
        .select(['documents.artefact_id as id', 'record', ...SCAN_FACTS, IS_OUTDATED.as('is_outdated')])
        .selectAll('slots')
        .select((eb) =>
          eb
            .selectFrom('artefact_access')
            .select(eb.fn.countAll<number>().as('count'))
            .whereRef('artefact_access.artefact_id', '=', 'documents.artefact_id')
            .as('shared'),
        )
        .where('documents.artefact_id', 'in', ids)
        .orderBy('documents.artefact_id')
        .orderBy('architecture')
        .execute();
      return Promise.all(
        [...Map.groupBy(rows, ({ id }) => id)].map(async ([id, [first, ...others]]) => {
          const record = JSON.parse(first!.record) as Omit<Artefact, 'privateAccess'>;
          return {
            artefact: {
              ...record,
              uploadedBy: withShortId(record.uploadedBy),
              privateAccess: first!.shared ? await repository.findPrivateAccess(id) : [],
            },
            slots: toSlots([first!, ...others]),
            isOutdated: Boolean(first!.is_outdated),
          };
        }),
      );
    },

    /** Locks the artefact until the transaction ends, and reads it. */
    async lock(id: string): Promise<StoredArtefact | undefined> {
      const { numUpdatedRows } = await executor
        .updateTable('artefacts')
        .set((eb) => ({ format: eb.ref('format') }))
        .where('id', '=', id)
        .executeTakeFirst();
      return numUpdatedRows === 0n ? undefined : repository.find(id);
    },

    /**
     * Inserts an artefact without its slots and access entries.
     * @throws ConcurrentCreationError if another transaction inserted it first
     */
    async insert(artefact: Artefact, documents: Documents): Promise<void> {
      const { numInsertedOrUpdatedRows } = await executor
        .insertInto('artefacts')
        .values(toIndexRow(artefact))
        .onConflict((conflict) => conflict.column('id').doNothing())
        .executeTakeFirst();
      if (numInsertedOrUpdatedRows !== 1n) throw new ConcurrentCreationError();
      await raiseListVersion(artefact.id);
      await executor
        .insertInto('artefact_documents')
        .values({ artefact_id: artefact.id, ...toDocumentColumns(artefact, documents) })
        .execute();
    },

    /**
     * Updates an artefact that the transaction has locked.
     * @param previous pass it if access entries do not change: cached list counts then stay valid unless a column that
     *   lists filter by differs
     */
    update: (artefact: Artefact, documents: Documents, previous?: StoredArtefact): Promise<void> =>
      write(artefact, documents, previous?.isOutdated === false ? toIndexRow(previous.artefact) : undefined),

    /** Writes the columns and documents of unchanged artefacts anew; the transaction has locked them. */
    async renew(artefacts: readonly { artefact: Artefact; documents: Documents }[]): Promise<void> {
      const ids = artefacts.map(({ artefact }) => artefact.id);
      const rows = await executor.selectFrom('artefacts').selectAll().where('id', 'in', ids).execute();
      const stored = new Map(rows.map((row) => [row.id, row]));
      for (const { artefact, documents } of artefacts) await write(artefact, documents, stored.get(artefact.id));
    },

    /** Inserts or replaces a slot. */
    async putSlot(artefactId: string, slot: Slot): Promise<void> {
      const { artefact_id, architecture, ...columns } = toSlotRow(artefactId, slot);
      await executor
        .insertInto('slots')
        .values({ artefact_id, architecture, ...columns })
        .onConflict((conflict) => conflict.columns(['artefact_id', 'architecture']).doUpdateSet(columns))
        .execute();
    },

    async deleteSlot(artefactId: string, architecture: string): Promise<void> {
      await executor
        .deleteFrom('slots')
        .where('artefact_id', '=', artefactId)
        .where('architecture', '=', architecture)
        .execute();
    },

    async putPrivateAccess(artefactId: string, accounts: readonly Account[]): Promise<void> {
      await executor.deleteFrom('artefact_access').where('artefact_id', '=', artefactId).execute();
      const rows = accounts.map(({ type, id, name, department }) => ({
        artefact_id: artefactId,
        account_type: type,
        account_id: id,
        account_name: name ?? null,
        department: department ?? '',
      }));
      for (const batch of rowBatches(rows))
        await executor
          .insertInto('artefact_access')
          .values(batch)
          .onConflict((conflict) => conflict.doNothing())
          .execute();
    },

    /** Lists the artefacts shared with an account; for an organisation, also those shared with its departments. */
    async findSharedWith({ type, id, department }: Account): Promise<string[]> {
      const shared = executor
        .selectFrom('artefact_access')
        .select('artefact_id')
        .distinct()
        .where('account_type', '=', type)
        .where('account_id', '=', id);
      const rows = await (department ? shared.where('department', '=', department) : shared)
        .orderBy('artefact_id')
        .execute();
      return rows.map((row) => row.artefact_id);
    },

    /** Deletes the artefact with its slots and access entries; their blobs stay for the sweep. */
    async delete(id: string): Promise<void> {
      await raiseListVersion(id);
      await executor.deleteFrom('artefacts').where('id', '=', id).execute();
    },
  };
  return repository;

  async function write(
    artefact: Artefact,
    documents: Documents,
    before: Omit<ArtefactsTable, 'seq'> | undefined,
  ): Promise<void> {
    const { id, ...columns } = toIndexRow(artefact);
    const changed = Object.fromEntries(
      Object.entries(columns).filter(([column, value]) => value !== before?.[column as keyof typeof columns]),
    );
    if (!before || Object.keys(changed).some((column) => !UNFILTERED_COLUMNS.has(column))) await raiseListVersion(id);
    if (Object.keys(changed).length > 0)
      await executor.updateTable('artefacts').set(changed).where('id', '=', id).execute();
    await executor
      .updateTable('artefact_documents')
      .set(toDocumentColumns(artefact, documents))
      .where('artefact_id', '=', id)
      .execute();
  }

  /** Invalidates the cached counts of lists. */
  async function raiseListVersion(id: string): Promise<void> {
    const shard = createHash('sha256').update(id).digest().readUInt8() % LIST_VERSION_SHARDS;
    await executor
      .updateTable('list_versions')
      .set((eb) => ({ version: eb('version', '+', 1) }))
      .where('shard', '=', shard)
      .execute();
  }
}

/** Columns that no list filters by. */
const UNFILTERED_COLUMNS = new Set<string>([
  'data_updated_at',
  'last_modified',
  'version_key',
] satisfies (keyof ArtefactsTable)[]);

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
    version_key: versionKey(artefact.version),
    last_modified: artefact.lastModifiedSeconds,
    search_text: searchText(artefact),
  };
}

function toDocumentColumns(
  artefact: Artefact,
  { full, limited }: Documents,
): Omit<ArtefactDocumentsTable, 'artefact_id'> {
  return {
    public: Number(artefact.public),
    record: JSON.stringify({ ...artefact, privateAccess: undefined }),
    limited_document: limited.json,
    limited_etag: limited.etag,
    full_document: full.json,
    full_etag: full.etag,
    document_version: DOCUMENT_VERSION,
    versioned_etag: limited.etag,
  };
}
