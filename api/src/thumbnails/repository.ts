import type { Executor, ThumbnailsTable, Tx } from '../db/index.ts';

export function thumbnailRepository(executor: Executor | Tx) {
  return {
    find: (id: string): Promise<ThumbnailsTable | undefined> =>
      executor.selectFrom('thumbnails').selectAll().where('id', '=', id).executeTakeFirst(),

    /** Inserts or replaces the thumbnail of an artefact. */
    async put(thumbnail: ThumbnailsTable): Promise<void> {
      await executor
        .insertInto('thumbnails')
        .values(thumbnail)
        .onConflict((conflict) => conflict.column('artefact_id').doUpdateSet(thumbnail))
        .execute();
    },

    async deleteOf(artefactId: string): Promise<void> {
      await executor.deleteFrom('thumbnails').where('artefact_id', '=', artefactId).execute();
    },
  };
}
