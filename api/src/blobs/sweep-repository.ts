import { sql } from 'kysely';
import { databaseTime, type DialectName, type Executor, type Tx } from '../db/index.ts';

/** An object whose row is gone, or would go. */
export interface Unreferenced {
  digest: string;
  storageKey: string;
  sizeBytes: number;
}

/** What a sweep asks and changes; everything in batches of bounded size and duration. */
export function sweepRepository(executor: Executor | Tx, dialect: DialectName) {
  const columns = ['digest', 'storage_key as storageKey', 'size as sizeBytes'] as const;
  const olderThan = (graceMs: number) => databaseTime(dialect, -graceMs);
  const referenced = sql<boolean>`exists (select 1 from slots where slots.digest = blobs.digest)`;

  return {
    /** Ends the window of blobs that follow a digest, in order of their digests; undefined behind the last. */
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

    /** Lists blobs of a window that no slot refers to and that are not marked. */
    async listNewlyUnreferenced(after: string, last: string): Promise<Unreferenced[]> {
      return executor
        .selectFrom('blobs')
        .select(columns)
        .where('digest', '>', after)
        .where('digest', '<=', last)
        .where('unreferenced_since', 'is', null)
        .where((eb) => eb.not(referenced))
        .execute();
    },

    /** Lists marked blobs whose grace is over, in order of their digests. */
    async listExpired(after: string, graceMs: number, limit: number): Promise<Unreferenced[]> {
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
     * Takes the locks of rows until the transaction ends. Only then does the next statement see the slots of every
     * adoption that had locked one of them before. /
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

    /** Marks rows that are locked and that no slot refers to. */
    async markUnreferenced(digests: readonly string[]): Promise<void> {
      await executor
        .updateTable('blobs')
        .set({ unreferenced_since: databaseTime(dialect) })
        .where('digest', 'in', digests)
        .where('unreferenced_since', 'is', null)
        .where((eb) => eb.not(referenced))
        .execute();
    },

    /** Deletes rows that are locked, that no slot refers to and whose grace is over, and returns them. */
    async deleteUnreferenced(digests: readonly string[], graceMs: number): Promise<Unreferenced[]> {
      return executor
        .deleteFrom('blobs')
        .where('digest', 'in', digests)
        .where('unreferenced_since', '<=', olderThan(graceMs))
        .where((eb) => eb.not(referenced))
        .returning(columns)
        .execute();
    },

    /** Lists the keys of writers that have not said for so long that they live. */
    async listDeadWriters(graceMs: number, limit: number): Promise<string[]> {
      const rows = await executor
        .selectFrom('blob_writers')
        .select('storage_key')
        .where('heartbeat_at', '<', olderThan(graceMs))
        .orderBy('storage_key')
        .limit(limit)
        .execute();
      return rows.map((row) => row.storage_key);
    },

    /** Removes the rows of writers that are still dead, and returns their keys: whoever removes the row decides. */
    async endDeadWriters(keys: readonly string[], graceMs: number): Promise<string[]> {
      const rows = await executor
        .deleteFrom('blob_writers')
        .where('storage_key', 'in', keys)
        .where('heartbeat_at', '<', olderThan(graceMs))
        .returning('storage_key')
        .execute();
      return rows.map((row) => row.storage_key);
    },

    /**
     * Finds which of these keys a blob or a writer has, in one statement, since a commit moves a key from the one to
     * the other.
     */
    async listWanted(keys: readonly string[]): Promise<string[]> {
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
