// One remote registry: finds it, renders its view, and changes it with an audit entry.

import { changeAs, policy, type Actor } from '../access/index.ts';
import { appendAudit } from '../audit/index.ts';
import type { Database, Tx } from '../db/index.ts';
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

  return {
    find,

    /** Renders a registry. @param state of its job; default: read from the database */
    async view(remote: Remote, state?: JobState): Promise<RemoteView> {
      const name = jobName(remote.id);
      return toView(remote, state ?? (await jobs.states([name])).get(name), await rows.results(remote.id));
    },

    /**
     * Runs `work` in a transaction that locks the registry's row, and appends an audit entry.
     * @throws remote_not_found; forbidden unless the caller is a superadmin
     */
    async change(
      actor: Actor,
      id: string,
      { action, details }: Change,
      work: (tx: Tx, remote: Remote) => Promise<void>,
    ): Promise<void> {
      await changeAs(database, actor, policy.manageRemotes, async (tx, current) => {
        const remote = await remoteRepository(tx).lock(normaliseId(id));
        if (!remote) throw notFound();
        await work(tx, remote);
        await appendAudit(tx, current, {
          action: `remote.${action}`,
          targetType: 'remote-registry',
          targetId: remote.id,
          details,
        });
      });
    },

    /** Starts its job if it is due, and returns the registry. @throws remote_not_found */
    async wake(id: string): Promise<RemoteView> {
      const remote = await find(id);
      jobs.wake(jobName(remote.id));
      return this.view(remote);
    },
  };
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
