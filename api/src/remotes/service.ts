// Federation: remote registries, what is selected from them, and their synchronisation. A run is in sync.ts, an artefact in mirror.ts,
// the bytes of a slot in fetch.ts; what another registry says is read in upstream.ts.

import { enforce, policy, type Actor, type Caller } from '../access/index.ts';
import { assertArtefactId, type Mirroring, type Publishing } from '../artefacts/index.ts';
import { appendAudit } from '../audit/index.ts';
import type { Blobs } from '../blobs/index.ts';
import type { Database, Tx } from '../db/index.ts';
import type { Jobs, JobState } from '../jobs/index.ts';
import type { ThumbnailService } from '../thumbnails/index.ts';
import { createCipher } from './cipher.ts';
import { AlreadySelectedError, NotSelectedError, RemoteExistsError, RemoteNotFoundError, RemoteUrlInvalidError, SelectionConflictError, SyncRunningError } from './errors.ts';
import { fetchRepository } from './fetch-repository.ts';
import type { Fetcher } from './fetch.ts';
import { createMirror } from './mirror.ts';
import { assertPattern, assertSchedule, defaultSchedule, matches, nextRun, normaliseUrl, shortIdOf } from './operations.ts';
import { JOB_PREFIX, jobName, type Remote, type SyncProgress, type SyncRequest } from './remote.ts';
import { createRemoteBrowser } from './browse.ts';
import { remoteRepository } from './repository.ts';
import type { CreateRemote, PatchRemote, RemoteView, SyncQuery } from './schemas.ts';
import { createAssertRoom } from './room.ts';
import { createSync, type SyncReport } from './sync.ts';
import { createUpstream, type Upstream } from './upstream.ts';
import { toView } from './view.ts';

export interface RemotesOptions {
  database: Database;
  jobs: Jobs;
  mirroring: Mirroring;
  publishing: Publishing;
  blobs: Pick<Blobs, 'verify' | 'freeBytes' | 'reserve'>;
  /** Brings the bytes. */
  fetcher: Fetcher<Upstream>;
  thumbnails: ThumbnailService;
  /** CIPHER_PASSWORD. */
  cipherPassword: string;
  publicUrl: string;
  maxUploadBytes: number;
  /** Told of what went wrong beside an answer. */
  onError: (error: unknown) => void;
  /** For how long a remote registry may keep silent. Default 30 s. */
  timeoutMs?: number;
}

export type Remotes = ReturnType<typeof createRemotes>;

const TIMEOUT_MS = 30_000;

/** Registers the jobs of federation and makes its service. */
export function createRemotes(options: RemotesOptions) {
  const { database, jobs, mirroring, publishing, publicUrl, timeoutMs = TIMEOUT_MS, onError } = options;
  const rows = remoteRepository(database.db);
  const cipher = createCipher(options.cipherPassword);
  const ownUrl = normaliseUrl(publicUrl);
  const sync = createSync({ ...options, mirror: createMirror({ ...options, assertRoom: createAssertRoom(options.blobs, options.maxUploadBytes) }), openUpstream, ownUrl });
  jobs.registerFamily<SyncProgress, SyncReport>({
    prefix: JOB_PREFIX,
    keys: async () => (await rows.list()).map(({ id }) => id),
    job: (id) => ({ run: (context) => sync(id, context), nextInMs: () => nextInMs(id) }),
  });

  async function openUpstream({ id }: Pick<Remote, 'id'>): Promise<Upstream> {
    const encrypted = await rows.findKey(id);
    return createUpstream({ url: id, apiKey: encrypted === undefined ? undefined : cipher.decrypt(encrypted, id), timeoutMs });
  }

  /** Until everything is compared again, or the first artefact is tried again. */
  async function nextInMs(id: string): Promise<number | undefined> {
    const dates = [(await rows.find(id))?.nextFullAt, await rows.nextTryAt(id)].filter((date) => date !== undefined);
    return dates.length === 0 ? undefined : Math.max(0, Math.min(...dates.map((date) => Date.parse(date))) - Date.now());
  }

  async function find(id: string): Promise<Remote> {
    const remote = await rows.find(normalisedOr(id));
    if (!remote) throw notFound();
    return remote;
  }

  async function view(remote: Remote, state?: JobState): Promise<RemoteView> {
    const name = jobName(remote.id);
    return toView(remote, state ?? (await jobs.states([name])).get(name), await rows.results(remote.id));
  }

  /** Changes a remote registry in a transaction, with the line of the audit log. */
  async function change(actor: Actor, id: string, action: string, details: Record<string, unknown>, work: (tx: Tx, remote: Remote) => Promise<void>): Promise<void> {
    enforce(policy.manageRemotes(actor.caller));
    await database.transaction(async (tx) => {
      const remote = await remoteRepository(tx).lock(normalisedOr(id));
      if (!remote) throw notFound();
      await work(tx, remote);
      await appendAudit(tx, actor, { action: `remote.${action}`, targetType: 'remote-registry', targetId: remote.id, details });
    });
  }

  async function awakened(id: string): Promise<RemoteView> {
    const remote = await find(id);
    jobs.wake(jobName(remote.id));
    return view(remote);
  }

  /** Makes a mirror local, and returns what of unfinished downloads is to be discarded after the commit. */
  async function release(tx: Tx, remoteId: string, artefactId: string): Promise<string[]> {
    await remoteRepository(tx).unselect(remoteId, artefactId);
    await mirroring.detach(tx, remoteId, [artefactId]);
    return fetchRepository(tx).removeOf(remoteId, [artefactId]);
  }

  /** Releases what was found by a pattern and is found by none of these. */
  async function letGo(tx: Tx, remoteId: string, patterns: readonly string[]): Promise<string[]> {
    const mirrors = await mirroring.overview(remoteId, tx);
    const abandoned: string[] = [];
    for (const { artefactId, selected } of await remoteRepository(tx).results(remoteId)) {
      const found = { id: artefactId, category: mirrors.get(artefactId)?.category ?? '' };
      if (!selected && !patterns.some((pattern) => matches(pattern, found))) abandoned.push(...await release(tx, remoteId, artefactId));
    }
    return abandoned;
  }

  async function discard(storageKeys: readonly string[]): Promise<void> {
    for (const key of storageKeys) await publishing.discard(key).catch(onError);
  }

  return {
    browse: createRemoteBrowser({ find, openUpstream, mirroring, results: (remoteId) => rows.results(remoteId) }),

    async list(caller: Caller): Promise<{ results: RemoteView[]; count: number }> {
      enforce(policy.manageRemotes(caller));
      const results = await Promise.all((await rows.list()).map((remote) => view(remote)));
      return { results, count: results.length };
    },

    /** @throws remote_not_found */
    async get(caller: Caller, id: string): Promise<RemoteView> {
      enforce(policy.manageRemotes(caller));
      return view(await find(id));
    },

    /** @throws remote_url_invalid, schedule_invalid, pattern_invalid, remote_exists */
    async create(actor: Actor, { url, name, apiKey, schedule, selectedPatterns = [] }: CreateRemote): Promise<RemoteView> {
      enforce(policy.manageRemotes(actor.caller));
      const id = normaliseUrl(url);
      if (id === ownUrl) throw new RemoteUrlInvalidError('This is the address of this registry itself: a registry cannot mirror itself.');
      const chosen = schedule === undefined ? defaultSchedule(id) : schedule;
      if (chosen !== null) assertSchedule(chosen);
      for (const pattern of selectedPatterns) assertPattern(pattern);
      await database.transaction(async (tx) => {
        const isNew = await remoteRepository(tx).insert({
          id, name, api_key: cipher.encrypt(apiKey, id), api_key_short_id: shortIdOf(apiKey), schedule: chosen, selected_patterns: JSON.stringify(selectedPatterns), next_full_at: nextFullAt(chosen),
        });
        if (!isNew) throw new RemoteExistsError(`The registry ${id} is known already: change it, or remove it first.`);
        await jobs.schedule(tx, jobName(id), msUntil(nextFullAt(chosen)));
        await appendAudit(tx, actor, { action: 'remote.create', targetType: 'remote-registry', targetId: id, details: { name, schedule: chosen, selectedPatterns } });
      });
      return view(await find(id));
    },

    /** Changes a registry. What a pattern alone had found, and none finds any more, becomes local. @throws remote_not_found, schedule_invalid, pattern_invalid */
    async patch(actor: Actor, id: string, patch: PatchRemote): Promise<RemoteView> {
      enforce(policy.manageRemotes(actor.caller));
      const { name, apiKey, schedule, selectedPatterns } = patch;
      if (schedule) assertSchedule(schedule);
      for (const pattern of selectedPatterns ?? []) assertPattern(pattern);
      let abandoned: string[] = [];
      await change(actor, id, 'edit', { fields: Object.keys(patch) }, async (tx, remote) => {
        if (Object.keys(patch).length === 0) return;
        await remoteRepository(tx).update(remote.id, {
          ...(name !== undefined && { name }),
          ...(apiKey !== undefined && { api_key: cipher.encrypt(apiKey, remote.id), api_key_short_id: shortIdOf(apiKey) }),
          ...(schedule !== undefined && { schedule, next_full_at: nextFullAt(schedule) }),
          ...(selectedPatterns !== undefined && { selected_patterns: JSON.stringify(selectedPatterns) }),
        });
        if (schedule !== undefined) await jobs.schedule(tx, jobName(remote.id), msUntil(nextFullAt(schedule)));
        if (selectedPatterns) abandoned = await letGo(tx, remote.id, selectedPatterns);
      });
      await discard(abandoned);
      return view(await find(id));
    },

    /** Removes a registry; its mirrors become local artefacts. @throws remote_not_found */
    async delete(actor: Actor, id: string): Promise<void> {
      let abandoned: string[] = [];
      await change(actor, id, 'delete', {}, async (tx, remote) => {
        await mirroring.detach(tx, remote.id);
        abandoned = await fetchRepository(tx).removeOf(remote.id);
        await remoteRepository(tx).delete(remote.id);
        await jobs.forget(tx, jobName(remote.id));
      });
      await discard(abandoned);
    },

    /** Selects an artefact, which is mirrored at once, or after the run that is under way. @throws remote_not_found, already_selected, selection_conflict, artefact_id_invalid */
    async select(actor: Actor, id: string, artefactId: string): Promise<RemoteView> {
      enforce(policy.manageRemotes(actor.caller));
      assertArtefactId(artefactId);
      await change(actor, id, 'select', { artefactId }, async (tx, remote) => {
        if ((await remoteRepository(tx).findResult(remote.id, artefactId))?.selected) throw new AlreadySelectedError(`${artefactId} is selected from this registry already.`);
        const origin = await mirroring.originOf(tx, artefactId);
        if (origin !== undefined && origin !== remote.id) {
          throw new SelectionConflictError(`The id ${artefactId} is taken here, by ${origin === '' ? 'an artefact of this registry' : `a mirror of ${origin}`}: delete that first, or leave this one out.`);
        }
        await remoteRepository(tx).select(remote.id, [artefactId], true);
        await jobs.schedule(tx, jobName(remote.id), 0);
      });
      return awakened(id);
    },

    /** Unselects an artefact; its mirror becomes local. @throws remote_not_found, not_selected */
    async unselect(actor: Actor, id: string, artefactId: string): Promise<void> {
      let abandoned: string[] = [];
      await change(actor, id, 'unselect', { artefactId }, async (tx, remote) => {
        if (!await remoteRepository(tx).findResult(remote.id, artefactId)) throw new NotSelectedError(`${artefactId} is not selected from this registry.`);
        abandoned = await release(tx, remote.id, artefactId);
      });
      await discard(abandoned);
    },

    /** Asks for a run now. @throws remote_not_found, sync_running */
    async sync(actor: Actor, id: string, { only, verify, confirm }: SyncQuery): Promise<RemoteView> {
      const request: SyncRequest = { ...(only && { onlyFailed: true }), ...(verify && { verify }), ...(confirm && { confirmed: true }) };
      const name = jobName(normalisedOr(id));
      enforce(policy.manageRemotes(actor.caller));
      if ((await jobs.states([name])).get(name)?.running) throw new SyncRunningError('This registry is being synchronised: wait until that has ended.');
      await change(actor, id, 'sync', { ...request }, async (tx, remote) => {
        await remoteRepository(tx).update(remote.id, { requested: JSON.stringify(request) });
        await jobs.schedule(tx, jobName(remote.id), 0);
      });
      return awakened(id);
    },

    /** Makes a function that calls back with a registry now and with each change, in whichever replica it runs, until what it returns is called. @throws remote_not_found */
    async watcherFor(caller: Caller, id: string): Promise<(onView: (remote: RemoteView) => void) => () => void> {
      enforce(policy.manageRemotes(caller));
      const { id: remoteId } = await find(id);
      return (onView) => {
        let last = Promise.resolve();
        return jobs.watch([jobName(remoteId)], (state) => {
          // One after the other: a view that was read later must not be shown before.
          last = last.then(async () => {
            const remote = await rows.find(remoteId);
            if (remote) onView(await view(remote, state));
          }).catch(onError);
        });
      };
    },
  };
}

function nextFullAt(schedule: string | null): string | null { return schedule === null ? null : nextRun(schedule)?.toISOString() ?? null; }

function msUntil(date: string | null): number | undefined { return date === null ? undefined : Math.max(0, Date.parse(date) - Date.now()); }

/** An id as clients may write it; what is no URL is no id. */
function normalisedOr(id: string): string {
  try { return normaliseUrl(id); } catch { return id; }
}

function notFound(): Error { return new RemoteNotFoundError('There is no remote registry with this address: GET /remote-registries lists them.'); }
