import { batches, type Executor, type Tx } from '../db/index.ts';

export function mirrorRepository(executor: Executor | Tx) {
  return {
    /** Reads the slots of all mirrors of a registry: artefact id → architecture → digest. */
    async digests(origin: string): Promise<Map<string, Map<string, string>>> {
      const rows = await executor
        .selectFrom('artefacts')
        .innerJoin('slots', 'artefact_id', 'id')
        .select(['id', 'architecture', 'digest'])
        .where('origin', '=', origin)
        .execute();
      const byId = new Map<string, Map<string, string>>();
      for (const { id, architecture, digest } of rows)
        byId.set(id, (byId.get(id) ?? new Map<string, string>()).set(architecture, digest));
      return byId;
    },

    async origins(ids: readonly string[]): Promise<Map<string, string>> {
      const origins = new Map<string, string>();
      for (const batch of batches(ids)) {
        const rows = await executor
          .selectFrom('artefacts')
          .select(['id', 'origin'])
          .where('id', 'in', batch)
          .execute();
        for (const { id, origin } of rows) origins.set(id, origin ?? '');
      }
      return origins;
    },

    /** Reads category and date of each mirror of a registry, by artefact id. */
    async overview(origin: string): Promise<Map<string, { category: string; dataUpdatedAt: string }>> {
      const rows = await executor
        .selectFrom('artefacts')
        .select(['id', 'category', 'data_updated_at'])
        .where('origin', '=', origin)
        .execute();
      return new Map(rows.map((row) => [row.id, { category: row.category, dataUpdatedAt: row.data_updated_at }]));
    },

    async originOf(id: string): Promise<string | undefined> {
      const row = await executor.selectFrom('artefacts').select('origin').where('id', '=', id).executeTakeFirst();
      return row && (row.origin ?? '');
    },

    /** Lists the ids of a registry's mirrors: all, or those in `ids`. */
    async ids(origin: string, ids?: readonly string[]): Promise<string[]> {
      const rows = await executor
        .selectFrom('artefacts')
        .select('id')
        .where('origin', '=', origin)
        .$if(ids !== undefined, (query) => query.where('id', 'in', ids ?? []))
        .orderBy('id')
        .execute();
      return rows.map(({ id }) => id);
    },

    /** Returns the size of an intact blob. */
    async findSize(digest: string): Promise<number | undefined> {
      return (
        await executor
          .selectFrom('blobs')
          .select('size')
          .where('digest', '=', digest)
          .where('state', '=', 'sound')
          .executeTakeFirst()
      )?.size;
    },

    async hasScan(digest: string): Promise<boolean> {
      return (
        (await executor
          .selectFrom('tarball_scans')
          .select('digest')
          .where('digest', '=', digest)
          .executeTakeFirst()) !== undefined
      );
    },
  };
}
