// Storage administration: totals, sweep (garbage collection) and scrub (integrity check), and watching both jobs.

import { changeAs, enforce, isStillAllowed, policy, type Actor, type Caller } from '../access/index.ts';
import type { Database } from '../db/index.ts';
import { recordChange } from '../events/index.ts';
import type { Jobs, JobState } from '../jobs/index.ts';
import type { BlobStore } from './blob-store.ts';
import { createScrub, type ScrubProgress, type ScrubResult } from './scrub.ts';
import { storageRepository } from './storage-repository.ts';
import { createSweep, type SweepProgress, type SweepResult } from './sweep.ts';

/** Names of the jobs and of their leases. Work that must not run during a sweep, such as a backup, takes its lease. */
export const SWEEP_JOB = 'storage.sweep';
export const SCRUB_JOB = 'storage.scrub';

const JOBS = { sweep: SWEEP_JOB, scrub: SCRUB_JOB } as const;
export type StorageJob = keyof typeof JOBS;

export interface StorageOptions {
  database: Database;
  store: BlobStore;
  jobs: Jobs;
  graceMs: number;
  /** Time between two scrubs. Default: on demand only. */
  scrubEveryMs?: number | undefined;
  /** Read rate limit of a scrub. Default: unlimited. */
  scrubBytesPerSecond?: number;
}

export interface StorageOverview {
  blobs: number;
  storedBytes: number;
  /** Bytes saved by deduplication: what slots with equal bytes would need in addition if each had its own copy. */
  sharedBytes: number;
  /** Blobs found damaged or missing and not uploaded again since. */
  unsoundBlobs: number;
  graceHours: number;
  sweep: JobState;
  scrub: JobState;
}

export interface Storage {
  overview(caller: Caller): Promise<StorageOverview>;
  /** What the storage contains, for the metrics. Reads every row of `blobs`, aside. */
  totals(): Promise<Pick<StorageOverview, 'blobs' | 'storedBytes' | 'sharedBytes' | 'unsoundBlobs'>>;
  /** Reports what a sweep would remove now. */
  previewSweep(caller: Caller): Promise<SweepResult>;
  /** Schedules a sweep or a scrub to run now, in any replica. @throws job_running */
  begin(actor: Actor, job: StorageJob): Promise<JobState>;
  /** Checks the caller's permission, and returns how to watch both jobs. */
  watcherFor(actor: Actor): {
    /** Calls back with the present states, then on every change. Returns a function that unsubscribes. */
    watch: (onState: (job: StorageJob, state: JobState) => void) => () => void;
    /** Tells whether the caller may still watch. */
    isAllowed: () => Promise<boolean>;
  };
  /** Runs a sweep in this process, for the command line. @throws job_running, storage_unavailable */
  sweep(options?: { dryRun?: boolean; onProgress?: (progress: SweepProgress) => void }): Promise<SweepResult>;
  /** Runs a scrub in this process, for the command line. @throws as `sweep` */
  scrub(options?: { onProgress?: (progress: ScrubProgress) => void }): Promise<ScrubResult>;
}

const SWEEP_INTERVAL_MS = 3_600_000;
const HOUR_MS = 3_600_000;
const NEVER_RAN: Omit<JobState, 'name'> = {
  running: false,
  dueAt: undefined,
  waiting: false,
  startedAt: undefined,
  endedAt: undefined,
  outcome: undefined,
  failures: 0,
  error: undefined,
  progress: undefined,
  result: undefined,
};

/** A job that was requested counts as running from then on, for whoever waits for its end. */
function toShown(state: JobState): JobState {
  return { ...state, running: state.running || state.waiting };
}

/** Registers the sweep and scrub jobs and creates the storage service. */
export function createStorage({
  database,
  store,
  jobs,
  graceMs,
  scrubEveryMs,
  scrubBytesPerSecond,
}: StorageOptions): Storage {
  const rows = storageRepository(database.aside);
  const sweeper = createSweep({ database, store, graceMs });
  const scrub = createScrub({
    database,
    store,
    ...(scrubBytesPerSecond !== undefined && { bytesPerSecond: scrubBytesPerSecond }),
  });
  jobs.register<SweepProgress, SweepResult>({
    name: SWEEP_JOB,
    everyMs: SWEEP_INTERVAL_MS,
    makesRoom: true,
    run: ({ signal, progress, assertHeld }) => sweeper.run({ signal, onProgress: progress, assertHeld }),
  });
  jobs.register<ScrubProgress, ScrubResult>({
    name: SCRUB_JOB,
    ...(scrubEveryMs !== undefined && { everyMs: scrubEveryMs }),
    run: ({ signal, progress, assertHeld, interrupted }) =>
      scrub({ signal, onProgress: progress, assertHeld, from: interrupted }),
  });

  async function view(job: StorageJob): Promise<JobState> {
    const name = JOBS[job];
    return toShown((await jobs.states([name])).get(name) ?? { name, ...NEVER_RAN });
  }

  return {
    async overview(caller) {
      enforce(policy.manageStorage(caller));
      return {
        ...(await rows.totals()),
        graceHours: graceMs / HOUR_MS,
        sweep: await view('sweep'),
        scrub: await view('scrub'),
      };
    },
    totals: () => rows.totals(),
    async previewSweep(caller) {
      enforce(policy.manageStorage(caller));
      return sweeper.dryRun();
    },
    async begin(actor, job) {
      await changeAs(database, actor, policy.manageStorage, async (tx, current) => {
        await jobs.makeDue(tx, JOBS[job]);
        await recordChange(tx, current, { action: `storage.${job}`, targetType: 'storage', targetId: job });
      });
      jobs.wake(JOBS[job]);
      return view(job);
    },
    watcherFor(actor) {
      enforce(policy.manageStorage(actor.caller));
      return {
        watch: (onState) =>
          jobs.watch(Object.values(JOBS), (state) => {
            onState(state.name === SWEEP_JOB ? 'sweep' : 'scrub', toShown(state));
          }),
        isAllowed: () => isStillAllowed(database, actor, policy.manageStorage),
      };
    },
    async sweep({ dryRun = false, onProgress } = {}) {
      const options = onProgress && { onProgress: onProgress as (value: unknown) => void };
      return dryRun ? sweeper.dryRun(options) : ((await jobs.runHere(SWEEP_JOB, options)) as SweepResult);
    },
    async scrub({ onProgress } = {}) {
      return (await jobs.runHere(
        SCRUB_JOB,
        onProgress && { onProgress: onProgress as (value: unknown) => void },
      )) as ScrubResult;
    },
  };
}
