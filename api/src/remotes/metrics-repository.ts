import type { Executor } from '../db/index.ts';
import type { Remote, ResultStatus } from './remote.ts';
import { toRemote } from './repository.ts';

/** Of the first registries by ID: each has a dozen time series. */
const MAX_REMOTES = 100;

export interface RemoteSummary {
  remote: Remote;
  /** Number of its artefacts by the result of the last attempt. */
  artefacts: Partial<Record<ResultStatus, number>>;
}

/** @param executor reads every row of `remote_artefacts` */
export function remoteMetricsRepository(executor: Executor) {
  return {
    async summaries(): Promise<RemoteSummary[]> {
      const remotes = await executor
        .selectFrom('remote_registries')
        .selectAll()
        .orderBy('id')
        .limit(MAX_REMOTES)
        .execute();
      const counts = await executor
        .selectFrom('remote_artefacts')
        .select(['remote_id', 'status', ({ fn }) => fn.countAll<number>().as('count')])
        .groupBy(['remote_id', 'status'])
        .execute();
      return remotes.map((row) => ({
        remote: toRemote(row),
        artefacts: Object.fromEntries(
          counts.filter(({ remote_id }) => remote_id === row.id).map(({ status, count }) => [status, count]),
        ),
      }));
    },
  };
}
