// Selects and unselects the artefacts of a remote registry to be mirrored.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { enforce, policy, type Actor, type CurrentActor } from '../access/index.ts';
import { assertArtefactId, type Mirroring, type Publishing } from '../artefacts/index.ts';
import type { Tx } from '../db/index.ts';
import type { Jobs } from '../jobs/index.ts';
import { matches } from '../patterns/index.ts';
import { AlreadySelectedError, NotSelectedError, SelectionConflictError } from './errors.ts';
import { fetchRepository } from './fetch-repository.ts';
import type { Registry } from './registry.ts';
import { isParked } from './parking.ts';
import { jobName } from './remote.ts';
import { remoteRepository } from './repository.ts';
import type { RemoteView } from './schemas.ts';

export interface SelectionOptions {
  registry: Registry;
  jobs: Jobs;
  mirroring: Mirroring;
  publishing: Pick<Publishing, 'discard'>;
  /** Called with errors of background work. */
  onError: (error: unknown) => void;
}

/** Artefacts that are compared with all patterns before other work has its turn. */
const MATCHED_AT_ONCE = 20;

export type Selection = ReturnType<typeof createSelection>;

export function createSelection({ registry, jobs, mirroring, publishing, onError }: SelectionOptions) {
  /** Makes a mirror local. @returns storage keys of unfinished downloads, to discard after the commit */
  async function release(tx: Tx, actor: CurrentActor, remoteId: string, artefactId: string): Promise<string[]> {
    await remoteRepository(tx).unselect(remoteId, artefactId);
    await mirroring.detach(tx, actor, remoteId, [artefactId]);
    return fetchRepository(tx).removeOf(remoteId, [artefactId]);
  }

  async function discard(storageKeys: readonly string[]): Promise<void> {
    for (const key of storageKeys) await publishing.discard(key).catch(onError);
  }

  return {
    discard,

    /** Releases, as `release` does, mirrors that no pattern matches and that are not selected by id. */
    async releaseUnmatched(
      tx: Tx,
      actor: CurrentActor,
      remoteId: string,
      patterns: readonly string[],
    ): Promise<string[]> {
      const mirrors = await mirroring.overview(remoteId, tx);
      const unfinished: string[] = [];
      const results = await remoteRepository(tx).results(remoteId);
      for (const [at, { artefactId, selected }] of results.entries()) {
        if (at % MATCHED_AT_ONCE === 0) await nextTurn();
        const artefact = { id: artefactId, category: mirrors.get(artefactId)?.category ?? '' };
        if (!selected && !patterns.some((pattern) => matches(pattern, artefact)))
          unfinished.push(...(await release(tx, actor, remoteId, artefactId)));
      }
      return unfinished;
    },

    /**
     * Selects an artefact by id and makes the job due: it is mirrored now, or after the run in progress; in a parked
     * registry by the run that a superadmin requests.
     * @throws remote_not_found, already_selected, selection_conflict, artefact_id_invalid
     */
    async select(actor: Actor, id: string, artefactId: string): Promise<RemoteView> {
      enforce(policy.manageRemotes(actor.caller));
      assertArtefactId(artefactId);
      const view = await registry.change(
        actor,
        id,
        { action: 'select', details: { artefactId } },
        async (tx, remote) => {
          if ((await remoteRepository(tx).findResult(remote.id, artefactId))?.selected)
            throw new AlreadySelectedError(`${artefactId} is already selected from this registry.`);
          const origin = await mirroring.originOf(tx, artefactId);
          if (origin !== undefined && origin !== remote.id) {
            const owner = origin === '' ? 'an artefact of this registry' : `a mirror of ${origin}`;
            throw new SelectionConflictError(
              `The id ${artefactId} is already in use here by ${owner}: delete that first, or do not select this one.`,
            );
          }
          await remoteRepository(tx).select(remote.id, [artefactId], true);
          if (!isParked(remote)) await jobs.request(tx, jobName(remote.id));
          return registry.viewIn(tx, remote.id);
        },
      );
      jobs.wake(jobName(view._id));
      return view;
    },

    /** Unselects an artefact; its mirror becomes local. @throws remote_not_found, not_selected */
    async unselect(actor: Actor, id: string, artefactId: string): Promise<void> {
      let unfinished: string[] = [];
      await registry.change(
        actor,
        id,
        { action: 'unselect', details: { artefactId } },
        async (tx, remote, current) => {
          if (!(await remoteRepository(tx).findResult(remote.id, artefactId)))
            throw new NotSelectedError(`${artefactId} is not selected from this registry.`);
          unfinished = await release(tx, current, remote.id, artefactId);
        },
      );
      await discard(unfinished);
    },
  };
}
