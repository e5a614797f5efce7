import type { BlobsTable, Executor, Tx } from '../db/index.ts';

export interface BlobRow { digest: string; storageKey: string; sizeBytes: number; state: 'sound' | 'damaged' | 'missing' }

export type BlobRepository = ReturnType<typeof blobRepository>;

export function blobRepository(executor: Executor | Tx) {
  return {
    async find(digest: string): Promise<BlobRow | undefined> {
      const row = await executor.selectFrom('blobs').selectAll().where('digest', '=', digest).executeTakeFirst();
      return row && fromRow(row);
    },

    /** Inserts rows of digests that are not known, and returns the storage keys of those. */
    async insert(blobs: readonly Omit<BlobRow, 'state'>[]): Promise<Set<string>> {
      const createdAt = new Date().toISOString();
      const rows = blobs.map(({ digest, storageKey, sizeBytes }) => ({ digest, storage_key: storageKey, size: sizeBytes, state: 'sound', created_at: createdAt }));
      const inserted = await executor.insertInto('blobs').values(rows).onConflict((conflict) => conflict.column('digest').doNothing()).returning('storage_key').execute();
      return new Set(inserted.map((row) => row.storage_key));
    },

    /** For an adoption: takes the row's lock until the transaction ends, so that a sweep cannot delete it meanwhile, and forgets since when nobody wanted it. */
    async lock(digest: string): Promise<BlobRow | undefined> {
      const row = await executor.updateTable('blobs').set({ unreferenced_since: null }).where('digest', '=', digest).returningAll().executeTakeFirst();
      return row && fromRow(row);
    },

    async repoint(digest: string, storageKey: string): Promise<void> {
      await executor.updateTable('blobs').set({ storage_key: storageKey, state: 'sound' }).where('digest', '=', digest).execute();
    },

    /** Marks what was found of an object; false when the row has another object by now, or is gone. */
    async mark({ digest, storageKey }: Pick<BlobRow, 'digest' | 'storageKey'>, state: BlobRow['state']): Promise<boolean> {
      const { numUpdatedRows } = await executor.updateTable('blobs').set({ state }).where('digest', '=', digest).where('storage_key', '=', storageKey).executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    async beginWriters(storageKeys: readonly string[]): Promise<void> {
      const now = new Date().toISOString();
      await executor.insertInto('blob_writers').values(storageKeys.map((storageKey) => ({ storage_key: storageKey, state: '', created_at: now, heartbeat_at: now }))).execute();
    },

    /** Says that a writer lives. @param at in the future for one that is suspended and wanted until then */
    async beatWriter(storageKey: string, at: Date): Promise<void> {
      await executor.updateTable('blob_writers').set({ heartbeat_at: at.toISOString() }).where('storage_key', '=', storageKey).execute();
    },

    /** Keeps what the driver needs to resume. */
    async putWriterState(storageKey: string, state: string): Promise<void> {
      await executor.updateTable('blob_writers').set({ state }).where('storage_key', '=', storageKey).execute();
    },

    async findWriterState(storageKey: string): Promise<string | undefined> {
      return (await executor.selectFrom('blob_writers').select('state').where('storage_key', '=', storageKey).executeTakeFirst())?.state;
    },

    /** Removes the writer's row; of all who try, one gets true. */
    async endWriter(storageKey: string): Promise<boolean> { return await endWriters([storageKey]) === 1; },

    /** Removes the rows of writers, and tells how many of them there were. */
    endWriters,

    /** Counts blobs and the bytes they hold. */
    async totals(): Promise<{ count: number; sizeBytes: number }> {
      const row = await executor.selectFrom('blobs').select((eb) => [eb.fn.countAll<number>().as('count'), eb.fn.sum<number | null>('size').as('size')]).executeTakeFirstOrThrow();
      return { count: row.count, sizeBytes: Number(row.size ?? 0) };
    },
  };

  async function endWriters(storageKeys: readonly string[]): Promise<number> {
    const { numDeletedRows } = await executor.deleteFrom('blob_writers').where('storage_key', 'in', storageKeys).executeTakeFirst();
    return Number(numDeletedRows);
  }
}

function fromRow(row: Omit<BlobsTable, 'unreferenced_since'>): BlobRow {
  return { digest: row.digest, storageKey: row.storage_key, sizeBytes: row.size, state: row.state as BlobRow['state'] };
}
