// One run for one remote registry: compares the candidates with their local mirrors (candidates.ts), mirrors those
// that differ (mirror.ts) and records each result (result-recorder.ts).

import { setImmediate as nextTurn } from 'node:timers/promises';
import { SYSTEM_ACTOR } from '../access/index.ts';
import type { Mirroring } from '../artefacts/index.ts';
import type { Blobs } from '../blobs/index.ts';
import type { Database } from '../db/index.ts';
import { LeaseLostError, type JobContext } from '../jobs/index.ts';
import type { ListedArtefact, Upstream } from '../upstream/index.ts';
import {
  assertSlotsNotShrunk,
  conflictOf,
  documentOf,
  dueIds,
  isUpToDate,
  isUpstreamError,
  missingBytes,
  readAllCandidates,
  readCandidates,
  selectedIds,
  TooManyRemovedError,
  UnreadError,
  type LocalDigests,
} from './candidates.ts';
import { RemoteNotFoundError } from './errors.ts';
import { fetchRepository, type StoredFetch } from './fetch-repository.ts';
import { MirrorCancelledError, type MirrorArtefact, type MirrorRun } from './mirror.ts';
import { describeFailures, NAMED_FAILURES, nextFullAt } from './operations.ts';
import { recordOutcome, type Outcome } from './outcome.ts';
import { parkAfterDeaths } from './parking.ts';
import type { ArtefactResult, Remote, SyncProgress, SyncReport } from './remote.ts';
import { remoteRepository } from './repository.ts';
import { codeOf, createResultRecorder, reasonOf } from './result-recorder.ts';

export interface SyncOptions {
  database: Database;
  mirroring: Mirroring;
  blobs: Pick<Blobs, 'verify'>;
  mirror: MirrorArtefact;
  openUpstream: (remote: Remote) => Promise<Upstream>;
  /** PUBLIC_URL, normalised: artefacts that originate from it are not mirrored back. */
  ownUrl: string;
  /** Called with errors that no result describes. */
  onError: (error: unknown) => void;
}

/** Artefacts that come from a bundle instead of the remote registry. */
export interface OfflineRun {
  ids: readonly string[];
  upstream: Upstream;
}

/** An artefact that differs from its mirror. */
interface ChangedArtefact {
  id: string;
  artefact: ListedArtefact;
}

/** Enough to keep every connection busy (MAX_CONNECTIONS) while other artefacts wait for the disk or a commit. */
const CONCURRENCY = 40;
/** Artefacts that are compared before other work has its turn. */
const COMPARED_AT_ONCE = 500;
const NOTHING: SyncReport = { updated: 0, unchanged: 0, failed: 0, gone: 0 };

/** Creates the function that runs one synchronisation. It throws if the remote cannot be read; the job is retried. */
export function createSync({ database, mirroring, blobs, mirror, openUpstream, ownUrl, onError }: SyncOptions) {
  const rows = remoteRepository(database.db);
  const putFailure: typeof rows.put = (...result) =>
    database.withoutFlush((db) => remoteRepository(db).put(...result));

  return async function sync(
    remoteId: string,
    context: JobContext<SyncProgress>,
    offline?: OfflineRun,
  ): Promise<SyncReport> {
    const found = await rows.find(remoteId);
    if (!found) throw new RemoteNotFoundError('The remote registry was removed.');
    // An offline run handles its own artefacts only: pending requests and the schedule stay as they are.
    const remote: Remote = offline ? { ...found, request: undefined, nextFullAt: undefined } : found;
    if (!offline && (await parkAfterDeaths(database, remote, context))) return NOTHING;
    const startedAt = new Date();
    context.progress({ startedAt: startedAt.toISOString(), done: 0, total: 0 });
    try {
      const upstream = offline?.upstream ?? (await openUpstream(remote));
      const report = await run(remote, upstream, startedAt, context, offline?.ids);
      // Includes failures of earlier runs: success means that every selected artefact is up to date.
      const { count, first } = await rows.failures(remoteId, NAMED_FAILURES);
      const text = count === 0 ? undefined : describeFailures(first, count);
      await finish(remote, startedAt, text === undefined ? { report } : { code: 'artefacts_failed', text }, context);
      return report;
    } catch (thrown) {
      if (context.signal.aborted || thrown instanceof LeaseLostError) throw thrown;
      const error = thrown instanceof UnreadError ? thrown.cause : thrown;
      const text = thrown instanceof UnreadError ? thrown.message : reasonOf(error);
      await database
        .transaction(async (tx) => {
          await context.assertHeld(tx);
          await recordOutcome(tx, remoteId, { code: codeOf(error), text }, { last_sync_at: new Date().toISOString() });
        })
        .catch(() => undefined);
      // A retry would not help: a superadmin has to confirm.
      if (error instanceof TooManyRemovedError) return await awaitConfirmation(remote, startedAt);
      throw error;
    }
  };

  async function run(
    remote: Remote,
    upstream: Upstream,
    startedAt: Date,
    context: JobContext<SyncProgress>,
    ids: readonly string[] | undefined,
  ): Promise<SyncReport> {
    const { signal } = context;
    const { request } = remote;
    const isFull = !ids && isFullRun(remote, startedAt);
    const knownIds = isFull ? await selectedIds(rows, remote) : (ids ?? (await dueIds(rows, remote, startedAt)));
    const reading = isFull
      ? readAllCandidates({ rows, remote, upstream, knownIds: new Set(knownIds), signal })
      : readCandidates(upstream, knownIds, signal);
    const candidates = await reading.catch(async (error: unknown) => {
      signal.throwIfAborted();
      throw isUpstreamError(error) ? await failAll(remote, knownIds, error, startedAt, context) : error;
    });
    const results = new Map((await rows.results(remote.id)).map((result) => [result.artefactId, result]));
    const digests = await mirroring.digests(remote.id);
    const origins = await mirroring.origins(candidates.map(({ id }) => id));
    if (isFull && !request?.confirmed) assertSlotsNotShrunk(candidates, digests);

    const recorder = createResultRecorder({
      rows,
      putFailure,
      remoteId: remote.id,
      previous: results,
      startedAt,
      onError,
    });
    const unchanged: string[] = [];
    const changed: ChangedArtefact[] = [];
    for (const [at, { id, artefact, unusable }] of candidates.entries()) {
      if (at % COMPARED_AT_ONCE === 0) await nextTurn();
      const conflict = artefact && conflictOf(artefact, origins.get(id), { remoteId: remote.id, ownUrl });
      if (unusable !== undefined) await recorder.failed(id, new Error(unusable));
      else if (!artefact) await recorder.gone(id);
      else if (conflict !== undefined) await recorder.conflict(id, conflict);
      else if (!request?.verify && isUpToDate(artefact, results.get(id), digests.get(id))) unchanged.push(id);
      else changed.push({ id, artefact });
    }
    await recorder.unchanged(unchanged, startedAt);

    const storedFetches = await fetchRepository(database.db).allOf(remote.id);
    const mirrorRun: MirrorRun = { remote, actor: SYSTEM_ACTOR, upstream, signal, assertHeld: context.assertHeld };
    await mirrorAll();
    return recorder.report;

    /** Mirrors the changed artefacts, CONCURRENCY at a time, and publishes the progress. */
    async function mirrorAll(): Promise<void> {
      const state: SyncProgress = {
        startedAt: startedAt.toISOString(),
        done: candidates.length - changed.length,
        total: candidates.length,
        bytesDone: 0,
        bytesTotal: changed.reduce((sum, { id, artefact }) => sum + missingBytes(artefact, digests.get(id)), 0),
      };
      context.progress({ ...state });
      const queue = changed.values();
      const workers = await Promise.allSettled(
        Array.from({ length: CONCURRENCY }, async () => {
          for (const { id, artefact } of queue) {
            context.progress({ ...state, currentArtefact: id });
            await mirrorOne(id, artefact, (count) => {
              state.bytesDone = (state.bytesDone ?? 0) + count;
              context.progress({ ...state, currentArtefact: id });
            });
            state.done++;
            context.progress({ ...state });
          }
        }),
      );
      // All workers have suspended their downloads before the lease can pass to another replica.
      for (const worker of workers) if (worker.status === 'rejected') throw worker.reason;
    }

    async function mirrorOne(id: string, listed: ListedArtefact, onBytes: (count: number) => void): Promise<void> {
      try {
        if (request?.verify && (await isVerified(listed, results.get(id), digests.get(id), signal))) {
          await recorder.unchanged([id], new Date());
          return;
        }
        const artefact = await documentOf(listed, upstream, signal);
        if (!artefact) return await recorder.gone(id);
        await mirror({
          run: mirrorRun,
          artefact,
          onBytes,
          storedFetches: storedFetches.get(id) ?? new Map<string, StoredFetch>(),
        });
        recorder.updated();
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof LeaseLostError) throw error;
        if (!(error instanceof MirrorCancelledError)) await recorder.failed(id, error);
      }
    }
  }

  /** Reads the local bytes back, and returns whether they are undamaged and the mirror is up to date. */
  async function isVerified(
    artefact: ListedArtefact,
    result: ArtefactResult | undefined,
    local: LocalDigests | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    for (const digest of new Set(local?.values() ?? [])) await blobs.verify(digest, signal);
    if (!isUpToDate(artefact, result, local)) return false;
    for (const { digest } of artefact.slots)
      if (digest !== undefined && !(await mirroring.findBytes(digest, artefact.format))) return false;
    return true;
  }

  /** Records that nothing could be compared, for each artefact of the run. @returns the error that names them */
  async function failAll(
    { id }: Remote,
    ids: readonly string[],
    cause: Error,
    startedAt: Date,
    { progress }: JobContext<SyncProgress>,
  ): Promise<UnreadError> {
    await rows.putAllFailed(id, ids, cause.message, new Date().toISOString());
    progress({ startedAt: startedAt.toISOString(), done: ids.length, total: ids.length });
    return new UnreadError(ids, cause);
  }

  async function finish(remote: Remote, startedAt: Date, outcome: Outcome, { assertHeld }: JobContext): Promise<void> {
    await database.transaction(async (tx) => {
      await assertHeld(tx);
      // Its schedule may have changed during the run.
      const current = await remoteRepository(tx).lock(remote.id);
      await remoteRepository(tx).endRequest(remote);
      await recordOutcome(tx, remote.id, outcome, {
        last_sync_at: new Date().toISOString(),
        ...(isFullRun(remote, startedAt) && { next_full_at: nextFullAt(current?.schedule) }),
      });
    });
  }

  /** Ends the request, so that the next run is the scheduled one or one that a superadmin confirms. */
  async function awaitConfirmation(remote: Remote, startedAt: Date): Promise<SyncReport> {
    await rows.endRequest(remote);
    if (isFullRun(remote, startedAt)) await rows.update(remote.id, { next_full_at: nextFullAt(remote.schedule) });
    return NOTHING;
  }
}

function isFullRun({ request, nextFullAt: fullAt }: Remote, now: Date): boolean {
  if (request) return !request.onlyFailed;
  return fullAt !== undefined && fullAt <= now.toISOString();
}
