import {
  batches,
  rowBatches,
  type Executor,
  type RemoteArtefactsTable,
  type RemoteRegistriesTable,
  type Tx,
} from '../db/index.ts';
import { AT_ONCE, type ArtefactResult, type Remote, type ResultStatus, type SyncRequest } from './remote.ts';

/** Columns of a result that an update may set. */
type ResultChanges = Partial<Omit<RemoteArtefactsTable, 'remote_id' | 'artefact_id' | 'selected'>>;

export type RemoteRepository = ReturnType<typeof remoteRepository>;

export function remoteRepository(executor: Executor | Tx) {
  const resultsOf = (remoteId: string) =>
    executor.selectFrom('remote_artefacts').selectAll().where('remote_id', '=', remoteId);
  return {
    async list(): Promise<Remote[]> {
      return (await executor.selectFrom('remote_registries').selectAll().orderBy('name').orderBy('id').execute()).map(
        toRemote,
      );
    },

    async find(id: string): Promise<Remote | undefined> {
      const row = await executor.selectFrom('remote_registries').selectAll().where('id', '=', id).executeTakeFirst();
      return row && toRemote(row);
    },

    /** Locks the row until the transaction ends. */
    async lock(id: string): Promise<Remote | undefined> {
      const row = await executor
        .updateTable('remote_registries')
        .set((eb) => ({ name: eb.ref('name') }))
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirst();
      return row && toRemote(row);
    },

    async findKey(id: string): Promise<string | undefined> {
      return (
        (await executor.selectFrom('remote_registries').select('api_key').where('id', '=', id).executeTakeFirst())
          ?.api_key ?? undefined
      );
    },

    /** Lists the encrypted keys of all registries that have one. */
    async listKeys(): Promise<{ id: string; key: string }[]> {
      const rows = await executor.selectFrom('remote_registries').select(['id', 'api_key']).orderBy('id').execute();
      return rows.flatMap(({ id, api_key: key }) => (key === null ? [] : [{ id, key }]));
    },

    /** Returns false if the id exists. */
    async insert(
      row: Pick<
        RemoteRegistriesTable,
        'id' | 'name' | 'api_key' | 'api_key_short_id' | 'schedule' | 'selected_patterns' | 'next_full_at'
      >,
    ): Promise<boolean> {
      const { numInsertedOrUpdatedRows } = await executor
        .insertInto('remote_registries')
        .values({ ...row, created_at: new Date().toISOString() })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .executeTakeFirst();
      return numInsertedOrUpdatedRows === 1n;
    },

    async update(id: string, changes: Partial<RemoteRegistriesTable>): Promise<void> {
      await executor.updateTable('remote_registries').set(changes).where('id', '=', id).execute();
    },

    /** Clears the request of a run, unless it has been replaced by another one. */
    async endRequest({ id, request }: Remote): Promise<void> {
      if (request)
        await executor
          .updateTable('remote_registries')
          .set({ requested: null })
          .where('id', '=', id)
          .where('requested', '=', JSON.stringify(request))
          .execute();
    },

    async delete(id: string): Promise<void> {
      await executor.deleteFrom('remote_registries').where('id', '=', id).execute();
    },

    async results(remoteId: string): Promise<ArtefactResult[]> {
      return (await resultsOf(remoteId).orderBy('artefact_id').execute()).map(toResult);
    },

    async findResult(remoteId: string, artefactId: string): Promise<ArtefactResult | undefined> {
      const row = await resultsOf(remoteId).where('artefact_id', '=', artefactId).executeTakeFirst();
      return row && toResult(row);
    },

    /**
     * Adds artefacts for the next run.
     * @param byId also marks artefacts that a pattern matched before as selected by id, and makes them due
     */
    async select(remoteId: string, ids: readonly string[], byId: boolean): Promise<void> {
      const selected = Number(byId);
      const rows = ids.map((artefactId) => ({
        remote_id: remoteId,
        artefact_id: artefactId,
        selected,
        status: 'pending',
        attempts: 0,
        next_try_at: AT_ONCE,
      }));
      for (const batch of rowBatches(rows)) {
        await executor
          .insertInto('remote_artefacts')
          .values(batch)
          .onConflict((conflict) =>
            byId
              ? conflict.columns(['remote_id', 'artefact_id']).doUpdateSet({ selected, next_try_at: AT_ONCE })
              : conflict.doNothing(),
          )
          .execute();
      }
    },

    async unselect(remoteId: string, artefactId: string): Promise<void> {
      await executor
        .deleteFrom('remote_artefacts')
        .where('remote_id', '=', remoteId)
        .where('artefact_id', '=', artefactId)
        .execute();
    },

    /** Updates the result of an artefact; false if it is no longer selected. */
    async put(remoteId: string, artefactId: string, changes: ResultChanges): Promise<boolean> {
      const { numUpdatedRows } = await executor
        .updateTable('remote_artefacts')
        .set(changes)
        .where('remote_id', '=', remoteId)
        .where('artefact_id', '=', artefactId)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    /** Sets the same result for many artefacts. */
    async putAll(remoteId: string, ids: readonly string[], status: ResultStatus, at: string): Promise<void> {
      for (const batch of batches(ids)) {
        await executor
          .updateTable('remote_artefacts')
          .set({ status, at, bytes: 0, seconds: 0, reason: null, attempts: 0, next_try_at: null })
          .where('remote_id', '=', remoteId)
          .where('artefact_id', 'in', batch)
          .execute();
      }
    },

    /** Records for many artefacts that they could not be compared; their retries and mirrors stay as they are. */
    async putAllFailed(remoteId: string, ids: readonly string[], reason: string, at: string): Promise<void> {
      for (const batch of batches(ids)) {
        await executor
          .updateTable('remote_artefacts')
          .set({ status: 'failed', at, bytes: null, seconds: null, reason })
          .where('remote_id', '=', remoteId)
          .where('artefact_id', 'in', batch)
          .execute();
      }
    },

    /** Returns the earliest retry of any artefact; undefined if there is none. */
    async nextTryAt(remoteId: string): Promise<string | undefined> {
      const row = await executor
        .selectFrom('remote_artefacts')
        .select((eb) => eb.fn.min('next_try_at').as('at'))
        .where('remote_id', '=', remoteId)
        .executeTakeFirst();
      return row?.at ?? undefined;
    },

    /** Counts the artefacts that failed, and returns the first ones, by id. */
    async failures(remoteId: string, limit: number): Promise<{ count: number; first: ArtefactResult[] }> {
      const failed = resultsOf(remoteId).where('status', '=', 'failed');
      const { count } = await failed
        .clearSelect()
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      const rows = count === 0 ? [] : await failed.orderBy('artefact_id').limit(limit).execute();
      return { count: Number(count), first: rows.map(toResult) };
    },
  };
}

export function toRemote(row: RemoteRegistriesTable): Remote {
  return {
    id: row.id,
    name: row.name,
    apiKeyShortId: row.api_key_short_id ?? undefined,
    schedule: row.schedule ?? undefined,
    selectedPatterns: JSON.parse(row.selected_patterns) as string[],
    createdAt: row.created_at,
    request: row.requested === null ? undefined : (JSON.parse(row.requested) as SyncRequest),
    nextFullAt: row.next_full_at ?? undefined,
    upstreamCount: row.upstream_count ?? undefined,
    lastSyncAt: row.last_sync_at ?? undefined,
    lastSyncStatus: (row.last_sync_status as Remote['lastSyncStatus']) ?? undefined,
    lastSyncError: row.last_sync_error ?? undefined,
    lastSyncErrorCode: row.last_sync_error_code ?? undefined,
  };
}

function toResult(row: RemoteArtefactsTable): ArtefactResult {
  return {
    artefactId: row.artefact_id,
    selected: row.selected === 1,
    status: row.status as ResultStatus,
    at: row.at ?? undefined,
    bytes: row.bytes ?? undefined,
    seconds: row.seconds ?? undefined,
    reason: row.reason ?? undefined,
    attempts: row.attempts,
    nextTryAt: row.next_try_at ?? undefined,
    upstreamState: row.upstream_state ?? undefined,
  };
}
