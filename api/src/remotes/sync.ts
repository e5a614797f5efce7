// One run for one remote registry: what is selected is compared with its list, what differs is mirrored, and each
// result is noted. One artefact that fails never stops the others.

import { BerthError } from '../errors.ts';
import type { Actor } from '../access/index.ts';
import type { Mirroring } from '../artefacts/index.ts';
import type { Blobs } from '../blobs/index.ts';
import type { Database } from '../db/index.ts';
import { LeaseLostError, type JobContext } from '../jobs/index.ts';
import { matches } from '../patterns/index.ts';
import { fingerprintOf, RemoteAnswerInvalidError, type Upstream, type UpstreamArtefact } from '../upstream/index.ts';
import { RemoteNotFoundError } from './errors.ts';
import { fetchRepository, type StoredFetch } from './fetch-repository.ts';
import { NotWantedError, type MirrorArtefact, type MirrorRun } from './mirror.ts';
import { hasShrunk, nextRun, retryDelayMs } from './operations.ts';
import type { ArtefactResult, Remote, SyncProgress } from './remote.ts';
import { remoteRepository } from './repository.ts';

export interface SyncOptions {
  database: Database;
  mirroring: Mirroring;
  blobs: Pick<Blobs, 'verify'>;
  mirror: MirrorArtefact;
  openUpstream: (remote: Remote) => Promise<Upstream>;
  /** PUBLIC_URL, normalised: what comes from here is not fetched back. */
  ownUrl: string;
  /** Called with errors that a result does not show. */
  onError: (error: unknown) => void;
}

export interface SyncReport {
  updated: number;
  unchanged: number;
  failed: number;
  gone: number;
}

/** What a run compares: undefined stands for an artefact that the remote does not have. */
interface Candidate {
  id: string;
  artefact: UpstreamArtefact | undefined;
  unusable?: string;
}

/** Enough to keep every connection busy (MAX_CONNECTIONS) while others wait for the disk or for their commit. */
const CONCURRENCY = 40;
/** The registry itself, of its own accord. */
const ACTOR: Actor = { caller: { kind: 'internal' }, ip: '', requestId: '' };

/** Makes the run. It throws when the remote cannot be asked at all, and is tried again later then. */
export function createSync({ database, mirroring, blobs, mirror, openUpstream, ownUrl, onError }: SyncOptions) {
  const rows = remoteRepository(database.db);

  return async function sync(
    remoteId: string,
    context: JobContext<SyncProgress>,
    delivery?: { ids: readonly string[]; upstream: Upstream },
  ): Promise<SyncReport> {
    const stored = await rows.find(remoteId);
    if (!stored) throw new RemoteNotFoundError('The remote registry was removed.');
    // A delivery compares nothing else: what is due, and what somebody has asked for, stays so.
    const remote: Remote = delivery ? { ...stored, request: undefined, nextFullAt: undefined } : stored;
    const upstream = delivery?.upstream ?? (await openUpstream(remote));
    const startedAt = new Date();
    context.progress({ startedAt: startedAt.toISOString(), done: 0, total: 0 });
    try {
      const report = await run(remote, upstream, startedAt, context, delivery?.ids);
      // Those of earlier runs count too: a success says that every selected artefact is as it is there.
      const failed = await rows.countFailed(remoteId);
      await finish(
        remote,
        startedAt,
        failed === 0
          ? undefined
          : { code: 'artefacts_failed', text: `${failed} of the selected artefacts failed: see results.` },
        context,
      );
      return report;
    } catch (error) {
      if (context.signal.aborted || error instanceof LeaseLostError) throw error;
      await rows.update(remoteId, {
        last_sync_at: new Date().toISOString(),
        last_sync_status: 'error',
        last_sync_error: reasonOf(error),
        last_sync_error_code: codeOf(error),
      });
      // Later would be no better: somebody has to look.
      if (error instanceof HeldBack) return await heldBack(remote, startedAt);
      throw error;
    }
  };

  async function run(
    remote: Remote,
    upstream: Upstream,
    startedAt: Date,
    { signal, progress, assertHeld }: JobContext<SyncProgress>,
    ids: readonly string[] | undefined,
  ): Promise<SyncReport> {
    const { request } = remote;
    const isFull = !ids && isFullRun(remote, startedAt);
    const candidates = isFull
      ? await everything(remote, upstream, signal)
      : await some(upstream, ids ?? (await dueIds(remote, startedAt)), signal);
    const results = new Map((await rows.results(remote.id)).map((result) => [result.artefactId, result]));
    const digests = await mirroring.digests(remote.id);
    const origins = await mirroring.origins(candidates.map(({ id }) => id));
    if (isFull && !request?.confirmed) holdBackRemovals(candidates, digests);

    const report: SyncReport = { updated: 0, unchanged: 0, failed: 0, gone: 0 };
    const unchanged: string[] = [];
    const different: { id: string; artefact: UpstreamArtefact }[] = [];
    for (const { id, artefact, unusable } of candidates) {
      if (unusable !== undefined) await note(id, new Error(unusable));
      else if (!artefact) await noteGone(id);
      else if (isTaken(id, artefact)) await noteTaken(id, artefact);
      else if (!request?.verify && isEqual(artefact, results.get(id), digests.get(id))) unchanged.push(id);
      else different.push({ id, artefact });
    }
    await rows.putAll(remote.id, unchanged, 'unchanged', startedAt.toISOString());
    report.unchanged = unchanged.length;

    const shown: SyncProgress = {
      startedAt: startedAt.toISOString(),
      done: candidates.length - different.length,
      total: candidates.length,
      bytesDone: 0,
      bytesTotal: 0,
    };
    for (const { id, artefact } of different)
      shown.bytesTotal = (shown.bytesTotal ?? 0) + missingBytes(artefact, digests.get(id));
    progress({ ...shown });
    const begun = await fetchRepository(database.db).allOf(remote.id);
    const mirrorRun: MirrorRun = { remote, actor: ACTOR, upstream, signal, assertHeld };
    const queue = different.values();
    const workers = await Promise.allSettled(
      Array.from({ length: CONCURRENCY }, async () => {
        for (const { id, artefact } of queue) {
          progress({ ...shown, currentArtefact: id });
          await mirrorOne(id, artefact, (count) => {
            shown.bytesDone = (shown.bytesDone ?? 0) + count;
            progress({ ...shown, currentArtefact: id });
          });
          shown.done++;
          progress({ ...shown });
        }
      }),
    );
    // Each has put away what it had begun before the lease may go to another replica.
    for (const worker of workers) if (worker.status === 'rejected') throw worker.reason;
    return report;

    async function mirrorOne(id: string, artefact: UpstreamArtefact, onBytes: (count: number) => void): Promise<void> {
      try {
        if (request?.verify) {
          for (const digest of new Set(digests.get(id)?.values() ?? [])) await blobs.verify(digest, signal);
        }
        // Found sound, and nothing else is new.
        if (request?.verify && isEqual(artefact, results.get(id), digests.get(id)) && (await isWhole(artefact))) {
          await rows.putAll(remote.id, [id], 'unchanged', new Date().toISOString());
          report.unchanged++;
          return;
        }
        await mirror({ run: mirrorRun, artefact, onBytes, begun: begun.get(id) ?? new Map<string, StoredFetch>() });
        report.updated++;
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof LeaseLostError) throw error;
        if (!(error instanceof NotWantedError)) await note(id, error);
      }
    }

    async function isWhole({ format, slots }: UpstreamArtefact): Promise<boolean> {
      for (const { digest } of slots)
        if (digest !== undefined && !(await mirroring.findBytes(digest, format))) return false;
      return true;
    }

    async function note(id: string, error: unknown): Promise<void> {
      if (isInside(error)) onError(error);
      const attempts = (results.get(id)?.attempts ?? 0) + 1;
      const nextTryAt = new Date(Date.now() + retryDelayMs(attempts)).toISOString();
      await rows.put(remote.id, id, {
        status: 'failed',
        at: new Date().toISOString(),
        bytes: null,
        seconds: null,
        reason: reasonOf(error),
        attempts,
        next_try_at: nextTryAt,
      });
      report.failed++;
    }

    async function noteGone(id: string): Promise<void> {
      await rows.put(remote.id, id, {
        status: 'gone',
        at: startedAt.toISOString(),
        bytes: null,
        seconds: null,
        reason: 'The remote registry shows it no more; what arrived last stays here.',
        attempts: 0,
        next_try_at: null,
      });
      report.gone++;
    }

    /**
     * What is here already under this id is never touched: not ours, not that of a third registry, and nothing comes
     * back to where it is from.
     */
    function isTaken(id: string, artefact: UpstreamArtefact): boolean {
      const origin = origins.get(id);
      return artefact.origin === ownUrl || (origin !== undefined && origin !== remote.id);
    }

    async function noteTaken(id: string, artefact: UpstreamArtefact): Promise<void> {
      const owner = origins.get(id);
      const reason =
        artefact.origin === ownUrl
          ? 'The remote registry has it from this one.'
          : `An artefact with this id is here already, ${owner === '' ? 'of this registry itself' : `from ${owner}`}.`;
      if (results.get(id)?.selected) return note(id, new Error(reason));
      await rows.put(remote.id, id, {
        status: 'skipped',
        at: startedAt.toISOString(),
        bytes: null,
        seconds: null,
        reason,
        attempts: 0,
        next_try_at: null,
      });
    }
  }

  /** All that is selected by id or by pattern. @throws HeldBack when the list lost more than half */
  async function everything(remote: Remote, upstream: Upstream, signal: AbortSignal): Promise<Candidate[]> {
    const { artefacts, unusable } = await upstream.all(signal);
    const count = artefacts.length + unusable.size;
    if (!remote.request?.confirmed && hasShrunk(remote.upstreamCount ?? 0, count)) {
      throw new HeldBack(
        `The list of the remote registry went from ${remote.upstreamCount} artefacts to ${count}: nothing was ` +
          'changed here. If that is right, synchronise with confirm=true.',
      );
    }
    await rows.update(remote.id, { upstream_count: count });
    const byId = new Map(artefacts.map((artefact) => [artefact.id, artefact]));
    const known = new Set((await rows.results(remote.id)).map(({ artefactId }) => artefactId));
    const found = artefacts
      .filter(
        (artefact) => !known.has(artefact.id) && remote.selectedPatterns.some((pattern) => matches(pattern, artefact)),
      )
      .map(({ id }) => id);
    await rows.select(remote.id, found, false);
    const candidates: Candidate[] = [];
    for (const id of [...known, ...found]) {
      const reason = unusable.get(id);
      // A list may leave out what its document still shows, such as deprecated artefacts of an older registry.
      const artefact = byId.get(id);
      if (reason !== undefined) candidates.push({ id, artefact: undefined, unusable: reason });
      else candidates.push(artefact ? { id, artefact } : await read(upstream, id, signal));
    }
    return candidates;
  }

  /** What was selected since, or failed and is to be tried again. */
  async function dueIds({ id: remoteId, request }: Remote, now: Date): Promise<string[]> {
    return (await rows.results(remoteId))
      .filter(
        ({ status, nextTryAt }) =>
          (nextTryAt !== undefined && nextTryAt <= now.toISOString()) || (request?.onlyFailed && status === 'failed'),
      )
      .map(({ artefactId }) => artefactId);
  }

  async function some(upstream: Upstream, ids: readonly string[], signal: AbortSignal): Promise<Candidate[]> {
    const candidates: Candidate[] = [];
    for (const id of ids) candidates.push(await read(upstream, id, signal));
    return candidates;
  }

  async function read(upstream: Upstream, id: string, signal: AbortSignal): Promise<Candidate> {
    try {
      return { id, artefact: await upstream.artefact(id, signal) };
    } catch (error) {
      if (!(error instanceof RemoteAnswerInvalidError)) throw error;
      return { id, artefact: undefined, unusable: error.message };
    }
  }

  async function finish(
    remote: Remote,
    startedAt: Date,
    error: { code: string; text: string } | undefined,
    { assertHeld }: JobContext,
  ): Promise<void> {
    await database.transaction(async (tx) => {
      await assertHeld(tx);
      await remoteRepository(tx).endRequest(remote);
      await remoteRepository(tx).update(remote.id, {
        last_sync_at: new Date().toISOString(),
        last_sync_status: error === undefined ? 'success' : 'error',
        last_sync_error: error?.text ?? null,
        last_sync_error_code: error?.code ?? null,
        ...(isFullRun(remote, startedAt) && { next_full_at: nextFullAt(remote) }),
      });
    });
  }

  async function heldBack(remote: Remote, startedAt: Date): Promise<SyncReport> {
    await rows.endRequest(remote);
    if (isFullRun(remote, startedAt)) await rows.update(remote.id, { next_full_at: nextFullAt(remote) });
    return { updated: 0, unchanged: 0, failed: 0, gone: 0 };
  }
}

function isFullRun({ request, nextFullAt }: Remote, now: Date): boolean {
  if (request) return !request.onlyFailed;
  return nextFullAt !== undefined && nextFullAt <= now.toISOString();
}

function nextFullAt({ schedule }: Remote): string | null {
  return schedule === undefined ? null : (nextRun(schedule)?.toISOString() ?? null);
}

/** Equal as far as both registries tell; the local bytes are read by `verify` alone. */
function isEqual(
  artefact: UpstreamArtefact,
  result: ArtefactResult | undefined,
  local: ReadonlyMap<string, string> | undefined,
): boolean {
  return (
    local !== undefined &&
    result?.upstreamState === fingerprintOf(artefact) &&
    local.size === artefact.slots.length &&
    artefact.slots.every(
      ({ architecture, digest }) =>
        local.has(architecture) && (digest === undefined || local.get(architecture) === digest),
    )
  );
}

function missingBytes({ slots }: UpstreamArtefact, local: ReadonlyMap<string, string> | undefined): number {
  const here = new Set(local?.values() ?? []);
  return slots.reduce(
    (sum, { digest, sizeBytes }) => sum + (digest !== undefined && here.has(digest) ? 0 : (sizeBytes ?? 0)),
    0,
  );
}

/** @throws HeldBack when more than half of all slots that are mirrored would go */
function holdBackRemovals(
  candidates: readonly Candidate[],
  digests: ReadonlyMap<string, ReadonlyMap<string, string>>,
): void {
  let [slots, removed] = [0, 0];
  for (const { id, artefact } of candidates) {
    const local = digests.get(id);
    if (!artefact || !local) continue;
    slots += local.size;
    removed += [...local.keys()].filter(
      (architecture) => !artefact.slots.some((slot) => slot.architecture === architecture),
    ).length;
  }
  if (removed > 1 && hasShrunk(slots, slots - removed))
    throw new HeldBack(
      `The remote registry has removed ${removed} of ${slots} slots that are mirrored: nothing was changed here. ` +
        'If that is right, synchronise with confirm=true.',
    );
}

function reasonOf(error: unknown): string {
  if (isInside(error)) return 'Something failed inside of this registry: its log tells what.';
  return error instanceof Error ? error.message : String(error);
}

function codeOf(error: unknown): string {
  if (error instanceof HeldBack) return 'too_many_removed';
  return error instanceof BerthError ? error.code : 'internal_error';
}

/** What the system or the database says is for the log alone. */
function isInside(error: unknown): boolean {
  return error instanceof Error && !(error instanceof BerthError) && (error as { code?: unknown }).code !== undefined;
}

/** The run changes nothing until a superadmin has looked. */
class HeldBack extends Error {
  override readonly name = 'HeldBack';
}
