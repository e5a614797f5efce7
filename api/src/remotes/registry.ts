// One remote registry: finds it, renders its view, and changes it with an audit entry.

import { changeAs, policy, type Actor, type CurrentActor } from '../access/index.ts';
import type { Database, Tx } from '../db/index.ts';
import { recordChange } from '../events/index.ts';
import type { Jobs, JobState } from '../jobs/index.ts';
import { RemoteNotFoundError } from './errors.ts';
import { normaliseUrl } from './operations.ts';
import { jobName, type Remote } from './remote.ts';
import { remoteRepository } from './repository.ts';
import type { RemoteView } from './schemas.ts';
import { toView } from './view.ts';

export interface Change {
  /** Audit action, without the prefix `remote.`. */
  action: string;
  details: Record<string, unknown>;
}

export type Registry = ReturnType<typeof createRegistry>;

export function createRegistry({ database, jobs }: { database: Database; jobs: Jobs }) {
  const rows = remoteRepository(database.db);

  /** @throws remote_not_found */
  async function find(id: string): Promise<Remote> {
    const remote = await rows.find(normaliseId(id));
    if (!remote) throw notFound();
    return remote;
  }

  const stateOf = async (id: string, tx?: Tx) => (await jobs.states([jobName(id)], tx)).get(jobName(id));

  return {
    find,

    /** Renders a registry as it is at one moment; undefined if it does not exist. @param id normalised */
    async view(id: string): Promise<RemoteView | undefined> {
      for (let before = await stateOf(id); ;) {
        const remote = await rows.find(id);
        if (!remote) return undefined;
        const results = await rows.results(id);
        const after = await stateOf(id);
        // Otherwise a run may have begun or ended, or become due, between these queries.
        if (phaseOf(after) === phaseOf(before)) return toView(remote, after, results);
        before = after;
      }
    },

    /** As `view`. @param id as a client sent it @throws remote_not_found */
    async read(id: string): Promise<RemoteView> {
      const view = await this.view(normaliseId(id));
      if (!view) throw notFound();
      return view;
    },

    /** Renders a registry in a transaction that has locked its row. @throws remote_not_found */
    async viewIn(tx: Tx, id: string): Promise<RemoteView> {
      const remote = await remoteRepository(tx).find(id);
      if (!remote) throw notFound();
      return toView(remote, await stateOf(id, tx), await remoteRepository(tx).results(id));
    },

    /**
     * Runs `work` in a transaction that locks the registry's row, and appends an audit entry.
     * @returns what `work` returns
     * @throws remote_not_found; forbidden unless the caller is a superadmin
     */
    async change<T>(
      actor: Actor,
      id: string,
      { action, details }: Change,
      work: (tx: Tx, remote: Remote, actor: CurrentActor) => Promise<T>,
    ): Promise<T> {
      return changeAs(database, actor, policy.manageRemotes, async (tx, current) => {
        const remote = await remoteRepository(tx).lock(normaliseId(id));
        if (!remote) throw notFound();
        const result = await work(tx, remote, current);
        await recordChange(tx, current, {
          action: `remote.${action}`,
          targetType: 'remote-registry',
          targetId: remote.id,
          details,
        });
        return result;
      });
    },
  };
}

/** What tells two states apart between which a run has begun or ended, or become due. */
function phaseOf(state: JobState | undefined): string {
  return JSON.stringify([state?.running, state?.waiting, state?.dueAt, state?.startedAt, state?.endedAt]);
}

/** Normalises an id that a client sent; one that is not a URL is returned as it is, and matches no registry. */
function normaliseId(id: string): string {
  try {
    return normaliseUrl(id);
  } catch {
    return id;
  }
}

function notFound(): Error {
  return new RemoteNotFoundError('There is no remote registry with this URL: GET /remote-registries lists them.');
}
