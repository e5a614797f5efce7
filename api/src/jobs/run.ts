// One run of one job under its lease: from taking the lease to writing down how it ended.

import { BerthError } from '../errors.ts';
import type { Database, Tx } from '../db/index.ts';
import { LeaseLostError } from './errors.ts';
import { jobRepository } from './job-repository.ts';
import type { Lease } from './leases.ts';

export interface JobContext<Progress = unknown> {
  /** Aborted when this replica stops or has lost the lease: `run` must throw soon then, as `signal.throwIfAborted()` does. */
  readonly signal: AbortSignal;
  /** Progress of the run before, where it failed or its process died: continue from there. */
  readonly interrupted: Progress | undefined;
  /** Shows a JSON value to whoever watches, in any replica, and keeps it for the one who may have to continue; written at most once a second. */
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
export type RunEnd = { outcome: 'succeeded'; result: unknown } | { outcome: 'failed'; error: unknown } | { outcome: 'interrupted' } | { outcome: 'not-due' };

const PROGRESS_INTERVAL_MS = 1_000;

/** Runs a job under a lease that is already held, and gives the lease back. @throws what the database does when it is away */
export async function runUnderLease(database: Database, job: Job, lease: Lease, plan: RunPlan): Promise<RunEnd> {
  const rows = jobRepository(database.db, database.dialect);
  try {
    const begun = await rows.begin(job.name, lease.token, plan.onlyWhenDue);
    if (!begun) return { outcome: 'not-due' };
    const shown = showProgress((value) => rows.putProgress(job.name, lease.token, value), plan.onProgress);
    const end = await attempt(job, lease, begun.interrupted, shown.show, plan.stopping);
    await shown.flush();
    if (end.outcome === 'succeeded') await rows.succeed(job.name, lease.token, end.result, await plan.afterSuccessMs());
    if (end.outcome === 'failed') await rows.fail(job.name, lease.token, describe(end.error), plan.afterFailureMs(begun.failures + 1));
    return end;
  } finally {
    await lease.release();
  }
}

async function attempt(job: Job, lease: Lease, interrupted: unknown, progress: (value: unknown) => void, stopping: AbortSignal): Promise<RunEnd> {
  const signal = AbortSignal.any([lease.signal, stopping]);
  try {
    const result = await job.run({ signal, interrupted, progress, assertHeld: (tx) => lease.assertHeld(tx) });
    return lease.signal.aborted ? { outcome: 'interrupted' } : { outcome: 'succeeded', result };
  } catch (error) {
    return signal.aborted || error instanceof LeaseLostError ? { outcome: 'interrupted' } : { outcome: 'failed', error };
  }
}

/** Writes the first value at once and later ones at most once a second, never two at a time; the last one always. */
function showProgress(write: (value: unknown) => Promise<void>, onProgress: ((value: unknown) => void) | undefined) {
  let latest: { value: unknown } | undefined;
  let writtenAt = -Infinity;
  let writing = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    if (latest) {
      const { value } = latest;
      latest = undefined;
      writtenAt = performance.now();
      // Lost while the database is away: the next value says as much.
      writing = writing.then(() => write(value)).catch(() => undefined);
    }
    return writing;
  };
  return {
    flush,
    show(value: unknown) {
      onProgress?.(value);
      latest = { value };
      timer ??= setTimeout(() => void flush(), Math.max(0, writtenAt + PROGRESS_INTERVAL_MS - performance.now())).unref();
    },
  };
}

/** For a superadmin to read: the code of a failure that has one. The log holds the rest. */
function describe(error: unknown): string {
  return error instanceof BerthError ? error.code : 'internal_error';
}
