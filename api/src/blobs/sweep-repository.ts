import { databaseTime, type DialectName, type Executor, type Tx } from '../db/index.ts';
import { isReferredTo } from './reference-repository.ts';

/** A blob that nothing refers to. */
export interface UnreferencedBlob {
  digest: string;
  storageKey: string;
  sizeBytes: number;
}

/** The SQL of a sweep. Every statement works on a batch of bounded size and duration. */
export function sweepRepository(executor: Executor | Tx, dialect: DialectName) {
  const columns = ['digest', 'storage_key as storageKey', 'size as sizeBytes'] as const;
  const olderThan = (graceMs: number) => databaseTime(dialect, -graceMs);
  const referenced = isReferredTo('blobs.digest');

  return {
    /** Finds where the next window of blobs after a digest ends, in digest order; undefined after the last blob. */
    async endOfWindow(after: string, windowBlobs: number): Promise<{ last: string; count: number } | undefined> {
      const page = executor
        .selectFrom('blobs')
        .select('digest')
        .where('digest', '>', after)
        .orderBy('digest')
        .limit(windowBlobs)
        .as('page');
      const { last, count } = await executor
        .selectFrom(page)
        .select(({ fn }) => [fn.max('digest').as('last'), fn.countAll<number>().as('count')])
        .executeTakeFirstOrThrow();
      return last === null ? undefined : { last, count };
    },

    /** Lists the blobs of a window that nothing refers to and that are not marked yet. */
    async listNewlyUnreferenced(after: string, last: string): Promise<UnreferencedBlob[]> {
      return executor
        .selectFrom('blobs')
        .select(columns)
        .where('digest', '>', after)
        .where('digest', '<=', last)
        .where('unreferenced_since', 'is', null)
        .where((eb) => eb.not(referenced))
        .execute();
    },

    /** Lists marked blobs whose grace period is over, in digest order. */
    async listExpired(after: string, graceMs: number, limit: number): Promise<UnreferencedBlob[]> {
      return executor
        .selectFrom('blobs')
        .select(columns)
        .where('unreferenced_since', 'is not', null)
        .where('digest', '>', after)
        .where('unreferenced_since', '<=', olderThan(graceMs))
        .where((eb) => eb.not(referenced))
        .orderBy('digest')
        .limit(limit)
        .execute();
    },

    /**
     * Locks rows until the transaction ends (PostgreSQL only). The next statement of the transaction then sees the
     * slots of every adoption that held one of these locks before.
     */
    async lock(digests: readonly string[]): Promise<void> {
      if (dialect === 'postgres')
        await executor
          .selectFrom('blobs')
          .select('digest')
          .where('digest', 'in', digests)
          .orderBy('digest')
          .forUpdate()
          .execute();
    },

    /** Marks those locked rows that nothing refers to. */
    async markUnreferenced(digests: readonly string[]): Promise<void> {
      await executor
        .updateTable('blobs')
        .set({ unreferenced_since: databaseTime(dialect) })
        .where('digest', 'in', digests)
        .where('unreferenced_since', 'is', null)
        .where((eb) => eb.not(referenced))
        .execute();
    },

    /** Deletes those locked rows that nothing refers to and whose grace period is over; returns the deleted rows. */
    async deleteUnreferenced(digests: readonly string[], graceMs: number): Promise<UnreferencedBlob[]> {
      return executor
        .deleteFrom('blobs')
        .where('digest', 'in', digests)
        .where('unreferenced_since', '<=', olderThan(graceMs))
        .where((eb) => eb.not(referenced))
        .returning(columns)
        .execute();
    },

    /** Lists the keys of writers whose last heartbeat is older than `graceMs`. */
    async listStaleWriters(graceMs: number, limit: number): Promise<string[]> {
      const rows = await executor
        .selectFrom('blob_writers')
        .select('storage_key')
        .where('heartbeat_at', '<', olderThan(graceMs))
        .orderBy('storage_key')
        .limit(limit)
        .execute();
      return rows.map((row) => row.storage_key);
    },

    /**
     * Deletes the rows of writers that are still stale, and returns their keys. A row can be deleted only once, so
     * this arbitrates between the sweep and a late commit.
     */
    async deleteStaleWriters(keys: readonly string[], graceMs: number): Promise<string[]> {
      const rows = await executor
        .deleteFrom('blob_writers')
        .where('storage_key', 'in', keys)
        .where('heartbeat_at', '<', olderThan(graceMs))
        .returning('storage_key')
        .execute();
      return rows.map((row) => row.storage_key);
    },

    /**
     * Finds which of these keys belong to a blob or a writer. One statement, because a commit moves a key from the
     * writers to the blobs.
     */
    async listReferencedKeys(keys: readonly string[]): Promise<string[]> {
      const rows = await executor
        .selectFrom('blobs')
        .select('storage_key')
        .where('storage_key', 'in', keys)
        .unionAll(executor.selectFrom('blob_writers').select('storage_key').where('storage_key', 'in', keys))
        .execute();
      return rows.map((row) => row.storage_key);
    },
  };
}
