// Schedules synchronisations: registers their jobs, requests a run, and watches progress.

import { enforce, isStillAllowed, policy, type Actor } from '../access/index.ts';
import type { Database, Executor, Tx } from '../db/index.ts';
import type { JobContext, Jobs } from '../jobs/index.ts';
import { SyncRunningError } from './errors.ts';
import { mergeRequests } from './operations.ts';
import { isParked } from './parking.ts';
import type { Registry } from './registry.ts';
import { JOB_PREFIX, jobName, type SyncProgress, type SyncReport, type SyncRequest } from './remote.ts';
import { remoteRepository } from './repository.ts';
import type { RemoteView, SyncQuery } from './schemas.ts';

export interface SyncControlOptions {
  database: Database;
  jobs: Jobs;
  registry: Registry;
  /** Runs one synchronisation. */
  sync: (id: string, context: JobContext<SyncProgress>) => Promise<SyncReport>;
  /** Called with errors of background work. */
  onError: (error: unknown) => void;
}

export interface RemoteWatcher {
  /**
   * Calls back with the present state of the registry, then on each change, whichever replica runs the job. Returns a
   * function that unsubscribes.
   */
  watch: (onView: (remote: RemoteView) => void) => () => void;
  /** Tells whether the caller may still watch. */
  isAllowed: () => Promise<boolean>;
}

/** Registers the synchronisation jobs, one per registry. */
export function createSyncControl({ database, jobs, registry, sync, onError }: SyncControlOptions) {
  const rows = remoteRepository(database.db);
  jobs.registerFamily<SyncProgress, SyncReport>({
    prefix: JOB_PREFIX,
    keys: async () => (await rows.list()).map(({ id }) => id),
    job: (id) => ({ run: (context) => sync(id, context), nextInMs: () => nextRunInMs(database.db, id) }),
  });

  return {
    /**
     * Requests a run now. If one is due that has not begun, that one does what both requests ask for.
     * @throws remote_not_found; sync_running once a run has begun
     */
    async sync(actor: Actor, id: string, { only, verify, confirm }: SyncQuery): Promise<RemoteView> {
      enforce(policy.manageRemotes(actor.caller));
      const request: SyncRequest = {
        ...(only && { onlyFailed: true }),
        ...(verify && { verify }),
        ...(confirm && { confirmed: true }),
      };
      const view = await registry.change(
        actor,
        id,
        { action: 'sync', details: { ...request } },
        async (tx, remote) => {
          if (await jobs.request(tx, jobName(remote.id)))
            throw new SyncRunningError('This registry is being synchronised: wait until that run has ended.');
          await remoteRepository(tx).update(remote.id, {
            requested: JSON.stringify(mergeRequests(remote.request, request)),
          });
          await jobs.resetDeaths(tx, jobName(remote.id));
          return registry.viewIn(tx, remote.id);
        },
      );
      jobs.wake(jobName(view._id));
      return view;
    },

    /** Checks the caller's permission, and returns how to watch a registry. @throws remote_not_found */
    async watcherFor(actor: Actor, id: string): Promise<RemoteWatcher> {
      enforce(policy.manageRemotes(actor.caller));
      const { id: remoteId } = await registry.find(id);
      return {
        watch(onView) {
          let last = Promise.resolve();
          return jobs.watch([jobName(remoteId)], () => {
            // In sequence, so that views are sent in the order in which they were read.
            last = last
              .then(async () => {
                const view = await registry.view(remoteId);
                if (view) onView(view);
              })
              .catch(onError);
          });
        },
        isAllowed: () => isStillAllowed(database, actor, policy.manageRemotes),
      };
    },
  };
}

/**
 * Returns the milliseconds until the next full run or the first retry of an artefact, 0 if a run was requested that
 * has not taken place; undefined if there is none of these, or the registry is parked.
 */
export async function nextRunInMs(executor: Executor | Tx, remoteId: string): Promise<number | undefined> {
  const rows = remoteRepository(executor);
  const remote = await rows.find(remoteId);
  if (remote && isParked(remote)) return undefined;
  if (remote?.request) return 0;
  const dates = [remote?.nextFullAt, await rows.nextTryAt(remoteId)].filter((date) => date !== undefined);
  return dates.length === 0 ? undefined : Math.max(0, Math.min(...dates.map((date) => Date.parse(date))) - Date.now());
}
