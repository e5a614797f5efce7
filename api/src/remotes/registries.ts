// Lists, adds, changes and removes remote registries.

import { changeAs, enforce, policy, type Actor, type Caller } from '../access/index.ts';
import type { Mirroring } from '../artefacts/index.ts';
import type { Database } from '../db/index.ts';
import { recordChange } from '../events/index.ts';
import type { Jobs } from '../jobs/index.ts';
import { assertPattern } from '../patterns/index.ts';
import type { Cipher } from './cipher.ts';
import { RemoteExistsError, RemoteUrlInvalidError } from './errors.ts';
import { fetchRepository } from './fetch-repository.ts';
import { assertSchedule, defaultSchedule, nextFullAt, normaliseUrl, shortIdOf } from './operations.ts';
import type { Registry } from './registry.ts';
import { jobName } from './remote.ts';
import { remoteRepository } from './repository.ts';
import type { CreateRemote, PatchRemote, RemoteView } from './schemas.ts';
import type { Selection } from './selection.ts';
import { nextRunInMs } from './sync-control.ts';

export interface RegistriesOptions {
  database: Database;
  jobs: Jobs;
  mirroring: Mirroring;
  cipher: Cipher;
  registry: Registry;
  selection: Selection;
  /** PUBLIC_URL, normalised: a registry cannot mirror itself. */
  ownUrl: string;
}

export function createRegistries({
  database,
  jobs,
  mirroring,
  cipher,
  registry,
  selection,
  ownUrl,
}: RegistriesOptions) {
  const rows = remoteRepository(database.db);
  return {
    async list(caller: Caller): Promise<{ results: RemoteView[]; count: number }> {
      enforce(policy.manageRemotes(caller));
      const views = await Promise.all((await rows.list()).map(({ id }) => registry.view(id)));
      const results = views.filter((view) => view !== undefined);
      return { results, count: results.length };
    },

    /** @throws remote_not_found */
    async get(caller: Caller, id: string): Promise<RemoteView> {
      enforce(policy.manageRemotes(caller));
      return registry.read(id);
    },

    /** @throws remote_url_invalid, schedule_invalid, pattern_invalid, remote_exists */
    async create(
      actor: Actor,
      { url, name, apiKey, schedule, selectedPatterns = [] }: CreateRemote,
    ): Promise<RemoteView> {
      enforce(policy.manageRemotes(actor.caller));
      const id = normaliseUrl(url);
      if (id === ownUrl)
        throw new RemoteUrlInvalidError('This is the URL of this registry: a registry cannot mirror itself.');
      const effectiveSchedule = schedule === undefined ? defaultSchedule(id) : schedule;
      if (effectiveSchedule !== null) assertSchedule(effectiveSchedule);
      for (const pattern of selectedPatterns) assertPattern(pattern);
      await changeAs(database, actor, policy.manageRemotes, async (tx, current) => {
        const isNew = await remoteRepository(tx).insert({
          id,
          name,
          api_key: cipher.encrypt(apiKey, id),
          api_key_short_id: shortIdOf(apiKey),
          schedule: effectiveSchedule,
          selected_patterns: JSON.stringify(selectedPatterns),
          next_full_at: nextFullAt(effectiveSchedule),
        });
        if (!isNew) throw new RemoteExistsError(`The registry ${id} exists already: change it, or remove it first.`);
        await jobs.schedule(tx, jobName(id), msUntil(nextFullAt(effectiveSchedule)));
        await recordChange(tx, current, {
          action: 'remote.create',
          targetType: 'remote-registry',
          targetId: id,
          details: { name, schedule: effectiveSchedule, selectedPatterns },
        });
      });
      return registry.read(id);
    },

    /**
     * Changes a registry. Mirrors that no pattern matches any more, and that are not selected by id, become local.
     * @throws remote_not_found, schedule_invalid, pattern_invalid
     */
    async patch(actor: Actor, id: string, patch: PatchRemote): Promise<RemoteView> {
      enforce(policy.manageRemotes(actor.caller));
      const { name, apiKey, schedule, selectedPatterns } = patch;
      if (schedule) assertSchedule(schedule);
      for (const pattern of selectedPatterns ?? []) assertPattern(pattern);
      let unfinished: string[] = [];
      const view = await registry.change(
        actor,
        id,
        { action: 'edit', details: { fields: Object.keys(patch) } },
        async (tx, remote, current) => {
          if (Object.keys(patch).length === 0) return registry.viewIn(tx, remote.id);
          await remoteRepository(tx).update(remote.id, {
            ...(name !== undefined && { name }),
            ...(apiKey !== undefined && {
              api_key: cipher.encrypt(apiKey, remote.id),
              api_key_short_id: shortIdOf(apiKey),
            }),
            ...(schedule !== undefined && { schedule, next_full_at: nextFullAt(schedule) }),
            ...(selectedPatterns !== undefined && { selected_patterns: JSON.stringify(selectedPatterns) }),
          });
          if (schedule !== undefined) await jobs.schedule(tx, jobName(remote.id), await nextRunInMs(tx, remote.id));
          if (selectedPatterns)
            unfinished = await selection.releaseUnmatched(tx, current, remote.id, selectedPatterns);
          return registry.viewIn(tx, remote.id);
        },
      );
      await selection.discard(unfinished);
      return view;
    },

    /** Removes a registry; its mirrors become local artefacts. @throws remote_not_found */
    async delete(actor: Actor, id: string): Promise<void> {
      let unfinished: string[] = [];
      await registry.change(actor, id, { action: 'delete', details: {} }, async (tx, remote, current) => {
        await mirroring.detach(tx, current, remote.id);
        unfinished = await fetchRepository(tx).removeOf(remote.id);
        await remoteRepository(tx).delete(remote.id);
        await jobs.remove(tx, jobName(remote.id));
      });
      await selection.discard(unfinished);
    },
  };
}

function msUntil(date: string | null): number | undefined {
  return date === null ? undefined : Math.max(0, Date.parse(date) - Date.now());
}
