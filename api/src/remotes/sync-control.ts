// Schedules synchronisations: registers their jobs, requests a run, and watches progress.

import { enforce, isStillAllowed, policy, type Actor } from '../access/index.ts';
import type { Database } from '../db/index.ts';
import type { JobContext, Jobs } from '../jobs/index.ts';
import { SyncRunningError } from './errors.ts';
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
    job: (id) => ({ run: (context) => sync(id, context), nextInMs: () => nextRunInMs(database, id) }),
  });

  return {
    /** Requests a run now. @throws remote_not_found, sync_running */
    async sync(actor: Actor, id: string, { only, verify, confirm }: SyncQuery): Promise<RemoteView> {
      enforce(policy.manageRemotes(actor.caller));
      const request: SyncRequest = {
        ...(only && { onlyFailed: true }),
        ...(verify && { verify }),
        ...(confirm && { confirmed: true }),
      };
      const name = jobName((await registry.find(id)).id);
      if ((await jobs.states([name])).get(name)?.running)
        throw new SyncRunningError('This registry is being synchronised: wait until that run has ended.');
      await registry.change(actor, id, { action: 'sync', details: { ...request } }, async (tx, remote) => {
        await remoteRepository(tx).update(remote.id, { requested: JSON.stringify(request) });
        await jobs.schedule(tx, jobName(remote.id), 0);
        await jobs.resetDeaths(tx, jobName(remote.id));
      });
      return registry.wake(id);
    },

    /** Checks the caller's permission, and returns how to watch a registry. @throws remote_not_found */
    async watcherFor(actor: Actor, id: string): Promise<RemoteWatcher> {
      enforce(policy.manageRemotes(actor.caller));
      const { id: remoteId } = await registry.find(id);
      return {
        watch(onView) {
          let last = Promise.resolve();
          return jobs.watch([jobName(remoteId)], (state) => {
            // In sequence, so that views are sent in the order in which they were read.
            last = last
              .then(async () => {
                const remote = await rows.find(remoteId);
                if (remote) onView(await registry.view(remote, state));
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
 * Returns the milliseconds until the next full run or the first retry of an artefact; undefined if neither is
 * scheduled, or the registry is parked.
 */
export async function nextRunInMs({ db }: Database, remoteId: string): Promise<number | undefined> {
  const rows = remoteRepository(db);
  const remote = await rows.find(remoteId);
  if (remote && isParked(remote)) return undefined;
  const dates = [remote?.nextFullAt, await rows.nextTryAt(remoteId)].filter((date) => date !== undefined);
  return dates.length === 0 ? undefined : Math.max(0, Math.min(...dates.map((date) => Date.parse(date))) - Date.now());
}
