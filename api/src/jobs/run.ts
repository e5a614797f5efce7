// One run of one job under its lease: from taking the lease to writing down how it ended.

import { BerthError } from '../errors.ts';
import type { Database, Tx } from '../db/index.ts';
import { LeaseLostError } from './errors.ts';
import { createBatcher } from './batcher.ts';
import { jobRepository } from './job-repository.ts';
import type { Lease } from './leases.ts';

export interface JobContext<Progress = unknown> {
  /**
   * Aborted when this replica stops or has lost the lease: `run` must throw soon then, as `signal.throwIfAborted()`
   * does.
   */
  readonly signal: AbortSignal;
  /** Progress of the run before, where it failed or its process died: continue from there. */
  readonly interrupted: Progress | undefined;
  /**
   * Shows a JSON value to whoever watches, in any replica, and keeps it for the one who may have to continue; written
   * at most once a second.
   */
  progress(value: Progress): void;
  /** Refuses inside a transaction when another has taken over. @throws lease_lost */
  assertHeld(tx: Tx): Promise<void>;
}

export interface Job<Progress = unknown, Result = unknown> {
  /** `<slice>.<work>`, such as `storage.sweep`; the name of its lease too. */
  name: string;
  /** From the end of a run to the next one, give or take a tenth. Undefined: only on demand. */
  everyMs?: number;
  /** In place of `everyMs`, asked after each run that succeeded: undefined means only on demand. */
  nextInMs?: () => Promise<number | undefined>;
  /** Does the work. What it returns is kept as JSON; what it throws is written down, and it is tried again later. */
  run(context: JobContext<Progress>): Promise<Result>;
}

/** What happens with the job's date after a run. */
export interface RunPlan {
  onlyWhenDue: boolean;
  /** Undefined: none. */
  afterSuccessMs: () => Promise<number | undefined>;
  afterFailureMs: (failures: number) => number | undefined;
  /** Shown the progress as well, at once. */
  onProgress?: ((value: unknown) => void) | undefined;
  /** Aborted when this replica stops. */
  stopping: AbortSignal;
}

/** `interrupted`: this replica stops or has lost the lease; the job stays due, and another one continues. */
export type RunEnd =
  | { outcome: 'succeeded'; result: unknown }
  | { outcome: 'failed'; error: unknown }
  | { outcome: 'interrupted' }
  | { outcome: 'not-due' };

const PROGRESS_INTERVAL_MS = 1_000;

/**
 * Runs a job under a lease that is already held, and gives the lease back.
 * @throws what the database does when it is away
 */
export async function runUnderLease(database: Database, job: Job, lease: Lease, plan: RunPlan): Promise<RunEnd> {
  const rows = jobRepository(database.db, database.dialect);
  try {
    const begun = await rows.begin(job.name, lease.token, plan.onlyWhenDue);
    if (!begun) return { outcome: 'not-due' };
    const shown = createBatcher<unknown, unknown>({
      add: (_earlier, latest) => latest,
      // Lost while the database is away: the next value says as much.
      flush: (value) => rows.putProgress(job.name, lease.token, value).catch(() => undefined),
      intervalMs: PROGRESS_INTERVAL_MS,
    });
    const progress = (value: unknown) => {
      plan.onProgress?.(value);
      shown.add(value);
    };
    const end = await attempt(job, lease, begun.interrupted, progress, plan.stopping);
    await shown.flush();
    if (end.outcome === 'succeeded')
      await rows.succeed(job.name, lease.token, end.result, await plan.afterSuccessMs());
    if (end.outcome === 'failed')
      await rows.fail(job.name, lease.token, describe(end.error), plan.afterFailureMs(begun.failures + 1));
    return end;
  } finally {
    await lease.release();
  }
}

async function attempt(
  job: Job,
  lease: Lease,
  interrupted: unknown,
  progress: (value: unknown) => void,
  stopping: AbortSignal,
): Promise<RunEnd> {
  const signal = AbortSignal.any([lease.signal, stopping]);
  try {
    const result = await job.run({ signal, interrupted, progress, assertHeld: (tx) => lease.assertHeld(tx) });
    return lease.signal.aborted ? { outcome: 'interrupted' } : { outcome: 'succeeded', result };
  } catch (error) {
    return signal.aborted || error instanceof LeaseLostError
      ? { outcome: 'interrupted' }
      : { outcome: 'failed', error };
  }
}

/** For a superadmin to read: the code of a failure that has one. The log holds the rest. */
function describe(error: unknown): string {
  return error instanceof BerthError ? error.code : 'internal_error';
}
