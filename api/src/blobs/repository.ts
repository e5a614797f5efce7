import type { BlobsTable, Executor, Tx } from '../db/index.ts';
import type { Digest } from '../digests/index.ts';

export interface BlobRow {
  digest: Digest;
  storageKey: string;
  sizeBytes: number;
  state: 'sound' | 'damaged' | 'missing';
}

export type BlobRepository = ReturnType<typeof blobRepository>;

export function blobRepository(executor: Executor | Tx) {
  return {
    async find(digest: string): Promise<BlobRow | undefined> {
      const row = await executor.selectFrom('blobs').selectAll().where('digest', '=', digest).executeTakeFirst();
      return row && fromRow(row);
    },

    /** Inserts a blob; returns false when its digest is already known. */
    async insert({ digest, storageKey, sizeBytes }: Omit<BlobRow, 'state'>): Promise<boolean> {
      const { numInsertedOrUpdatedRows } = await executor
        .insertInto('blobs')
        .values({
          digest,
          storage_key: storageKey,
          size: sizeBytes,
          state: 'sound',
          created_at: new Date().toISOString(),
        })
        .onConflict((conflict) => conflict.column('digest').doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },

    /**
     * Locks the row for an adoption until the transaction ends, so that a sweep cannot delete it, and clears its
     * unreferenced mark.
     */
    async lock(digest: string): Promise<BlobRow | undefined> {
      const row = await executor
        .updateTable('blobs')
        .set({ unreferenced_since: null })
        .where('digest', '=', digest)
        .returningAll()
        .executeTakeFirst();
      return row && fromRow(row);
    },

    async repoint(digest: string, storageKey: string): Promise<void> {
      await executor
        .updateTable('blobs')
        .set({ storage_key: storageKey, state: 'sound' })
        .where('digest', '=', digest)
        .execute();
    },

    /**
     * Changes the state of an object; returns false if it has this state already, or the row is gone or refers to
     * another object by now. `recordState` calls this.
     */
    async mark(
      { digest, storageKey }: Pick<BlobRow, 'digest' | 'storageKey'>,
      state: BlobRow['state'],
    ): Promise<boolean> {
      const { numUpdatedRows } = await executor
        .updateTable('blobs')
        .set({ state })
        .where('digest', '=', digest)
        .where('storage_key', '=', storageKey)
        .where('state', '<>', state)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    async beginWriter(storageKey: string): Promise<void> {
      const now = new Date().toISOString();
      await executor
        .insertInto('blob_writers')
        .values({ storage_key: storageKey, state: '', created_at: now, heartbeat_at: now })
        .execute();
    },

    /** Records a writer's heartbeat. @param at in the future for a suspended writer that must be kept until then */
    async renewWriter(storageKey: string, at: Date): Promise<void> {
      await executor
        .updateTable('blob_writers')
        .set({ heartbeat_at: at.toISOString() })
        .where('storage_key', '=', storageKey)
        .execute();
    },

    /** Stores what the driver needs to resume. */
    async putWriterState(storageKey: string, state: string): Promise<void> {
      await executor.updateTable('blob_writers').set({ state }).where('storage_key', '=', storageKey).execute();
    },

    async findWriterState(storageKey: string): Promise<string | undefined> {
      return (
        await executor
          .selectFrom('blob_writers')
          .select('state')
          .where('storage_key', '=', storageKey)
          .executeTakeFirst()
      )?.state;
    },

    /** Deletes the writer's row; returns true to exactly one of several concurrent callers. */
    async endWriter(storageKey: string): Promise<boolean> {
      const { numDeletedRows } = await executor
        .deleteFrom('blob_writers')
        .where('storage_key', '=', storageKey)
        .executeTakeFirst();
      return numDeletedRows === 1n;
    },

    /** Counts blobs and the bytes they hold. */
    async totals(): Promise<{ count: number; sizeBytes: number }> {
      const row = await executor
        .selectFrom('blobs')
        .select((eb) => [eb.fn.countAll<number>().as('count'), eb.fn.sum<number | null>('size').as('size')])
        .executeTakeFirstOrThrow();
      return { count: row.count, sizeBytes: Number(row.size ?? 0) };
    },
  };
}

function fromRow(row: Omit<BlobsTable, 'unreferenced_since'>): BlobRow {
  return {
    digest: row.digest as Digest,
    storageKey: row.storage_key,
    sizeBytes: row.size,
    state: row.state as BlobRow['state'],
  };
}
