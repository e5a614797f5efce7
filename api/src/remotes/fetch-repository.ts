import type { Executor, RemoteFetchesTable, Tx } from '../db/index.ts';

/** Identifies a slot of an artefact of a remote registry. */
export interface FetchId {
  remoteId: string;
  artefactId: string;
  architecture: string;
}

/** Resume record of an unfinished download. */
export interface StoredFetch {
  /** Key of the bytes, see `sourceOf`. */
  source: string;
  /** ETag of the remote's response. */
  etag: string | undefined;
  /** Of the partial blob, see `Publishing.resume`. */
  storageKey: string;
}

export type FetchRepository = ReturnType<typeof fetchRepository>;

export function fetchRepository(executor: Executor | Tx) {
  return {
    /** Reads all records of a registry, by artefact id and architecture. */
    async allOf(remoteId: string): Promise<Map<string, Map<string, StoredFetch>>> {
      const rows = await executor.selectFrom('remote_fetches').selectAll().where('remote_id', '=', remoteId).execute();
      const byArtefact = new Map<string, Map<string, StoredFetch>>();
      for (const row of rows)
        byArtefact.set(
          row.artefact_id,
          (byArtefact.get(row.artefact_id) ?? new Map<string, StoredFetch>()).set(
            row.architecture,
            toStoredFetch(row),
          ),
        );
      return byArtefact;
    },

    async find({ remoteId, artefactId, architecture }: FetchId): Promise<StoredFetch | undefined> {
      const row = await executor
        .selectFrom('remote_fetches')
        .selectAll()
        .where('remote_id', '=', remoteId)
        .where('artefact_id', '=', artefactId)
        .where('architecture', '=', architecture)
        .executeTakeFirst();
      return row && toStoredFetch(row);
    },

    async put(
      { remoteId, artefactId, architecture }: FetchId,
      { source, etag, storageKey }: StoredFetch,
    ): Promise<void> {
      const row = {
        remote_id: remoteId,
        artefact_id: artefactId,
        architecture,
        source,
        etag: etag ?? null,
        storage_key: storageKey,
      };
      await executor
        .insertInto('remote_fetches')
        .values(row)
        .onConflict((conflict) => conflict.columns(['remote_id', 'artefact_id', 'architecture']).doUpdateSet(row))
        .execute();
    },

    async remove({ remoteId, artefactId, architecture }: FetchId): Promise<void> {
      await executor
        .deleteFrom('remote_fetches')
        .where('remote_id', '=', remoteId)
        .where('artefact_id', '=', artefactId)
        .where('architecture', '=', architecture)
        .execute();
    },

    /** Deletes the records of a registry, or of some of its artefacts, and returns their storage keys. */
    async removeOf(remoteId: string, artefactIds?: readonly string[]): Promise<string[]> {
      const rows = await executor
        .deleteFrom('remote_fetches')
        .where('remote_id', '=', remoteId)
        .$if(artefactIds !== undefined, (query) => query.where('artefact_id', 'in', artefactIds ?? []))
        .returning('storage_key')
        .execute();
      return rows.map((row) => row.storage_key);
    },
  };
}

function toStoredFetch(row: RemoteFetchesTable): StoredFetch {
  return { source: row.source, etag: row.etag ?? undefined, storageKey: row.storage_key };
}
