// One run of one job under its lease: records its start, its progress and its outcome.

import { BerthError } from '../errors.ts';
import type { Database, Tx } from '../db/index.ts';
import { newTrace, withTrace } from '../tracing/index.ts';
import { LeaseLostError } from './errors.ts';
import { createBatcher } from './batcher.ts';
import { jobRepository, type PreviousRun } from './job-repository.ts';
import type { Lease } from './leases.ts';

export interface JobContext<Progress = unknown> {
  /**
   * Aborted when this replica stops or has lost the lease; `run` must then throw soon, as `signal.throwIfAborted()`
   * does.
   */
  readonly signal: AbortSignal;
  /** Progress of the previous run if it failed or its process died: continue from there. */
  readonly interrupted: Progress | undefined;
  /** Runs in a row before this one whose process died; shutdowns do not count. */
  readonly deaths: number;
  /**
   * Publishes a JSON value to watchers in every replica, and stores it for a run that has to continue; written at most
   * once a second.
   */
  progress(value: Progress): void;
  /** Checks inside a transaction that this run still holds the lease. @throws lease_lost */
  assertHeld(tx: Tx): Promise<void>;
}

export interface Job<Progress = unknown, Result = unknown> {
  /** `<slice>.<work>`, such as `storage.sweep`; also the name of its lease. */
  name: string;
  /** Time from the end of a run to the next one, with 10 % jitter. Undefined: on demand only. */
  everyMs?: number;
  /** Whether there is work at the start of the process: the first run then does not wait for `everyMs`. */
  isDueAtStart?: () => Promise<boolean>;
  /** In place of `everyMs`, called after each successful run; undefined means on demand only. */
  nextInMs?: () => Promise<number | undefined>;
  /** The job deletes: on a full disk, all that its runs write may use the reserve, see `Database.makingRoom`. */
  makesRoom?: boolean;
  /** Does the work. Its result is stored as JSON; an error is recorded and the job retried with back-off. */
  run(context: JobContext<Progress>): Promise<Result>;
}

/** Jobs that differ in a key and are added and removed while the server runs; each is named `<prefix>:<key>`. */
export interface JobFamily<Progress = unknown, Result = unknown> {
  /** `<slice>.<work>`. */
  prefix: string;
  /** Lists the keys of all members, to insert missing rows at the start. */
  keys(): Promise<string[]>;
  job(key: string): Omit<Job<Progress, Result>, 'name' | 'everyMs'>;
}

/** When a job may run, and when it is due after a run. */
export interface RunPlan {
  onlyWhenDue: boolean;
  /** Returns undefined for on demand only. */
  afterSuccessMs: () => Promise<number | undefined>;
  afterFailureMs: (failures: number) => number | undefined;
  /** Called with each progress value immediately. */
  onProgress?: ((value: unknown) => void) | undefined;
  /** Aborted when this replica stops. */
  stopping: AbortSignal;
}

/** `interrupted`: this replica stops or has lost the lease; the job stays due, and another replica continues it. */
export type RunEnd =
  | { outcome: 'succeeded'; result: unknown }
  | { outcome: 'failed'; error: unknown }
  | { outcome: 'interrupted' }
  | { outcome: 'not-due' };

const PROGRESS_INTERVAL_MS = 1_000;

/**
 * Runs a job under a lease that is already held, then releases the lease.
 * @throws database_unavailable
 */
export async function runUnderLease(database: Database, job: Job, lease: Lease, plan: RunPlan): Promise<RunEnd> {
  const rows = jobRepository(database.db, database.dialect);
  try {
    const previous = await rows.begin(job.name, lease.fencingToken, plan.onlyWhenDue);
    if (!previous) return { outcome: 'not-due' };
    const stored = createBatcher<unknown, unknown>({
      add: (_earlier, latest) => latest,
      // A value that cannot be written is dropped; the next one supersedes it.
      flush: (value) => rows.putProgress(job.name, lease.fencingToken, value).catch(() => undefined),
      intervalMs: PROGRESS_INTERVAL_MS,
    });
    const progress = (value: unknown) => {
      plan.onProgress?.(value);
      stored.add(value);
    };
    let suspending: Promise<void> | undefined;
    // At once: a shutdown waits for a run only for a while.
    const suspend = () => {
      suspending ??= rows.suspend(job.name, lease.fencingToken).catch(() => undefined);
    };
    plan.stopping.addEventListener('abort', suspend, { once: true });
    const end = await attempt(job, lease, previous, progress, plan.stopping);
    plan.stopping.removeEventListener('abort', suspend);
    if (end.outcome === 'interrupted') suspend();
    await suspending;
    await stored.flush();
    if (end.outcome === 'succeeded')
      await rows.succeed(job.name, lease.fencingToken, end.result, await plan.afterSuccessMs());
    if (end.outcome === 'failed')
      await rows.fail(job.name, lease.fencingToken, codeOf(end.error), plan.afterFailureMs(previous.failures + 1));
    return end;
  } finally {
    // It expires by itself.
    await lease.release().catch(() => undefined);
  }
}

async function attempt(
  job: Job,
  lease: Lease,
  { interrupted, deaths }: PreviousRun,
  progress: (value: unknown) => void,
  stopping: AbortSignal,
): Promise<RunEnd> {
  const signal = AbortSignal.any([lease.signal, stopping]);
  try {
    const context = { signal, interrupted, deaths, progress, assertHeld: (tx: Tx) => lease.assertHeld(tx) };
    const result = await withTrace(newTrace(), () => job.run(context));
    return lease.signal.aborted ? { outcome: 'interrupted' } : { outcome: 'succeeded', result };
  } catch (error) {
    return signal.aborted || error instanceof LeaseLostError
      ? { outcome: 'interrupted' }
      : { outcome: 'failed', error };
  }
}

/** Error code that superadmins see; the log has the details. */
function codeOf(error: unknown): string {
  return error instanceof BerthError ? error.code : 'internal_error';
}
