// Background jobs: a loop in each replica polls once a second for due jobs and runs those whose lease it gets.
// Leases are in leases.ts, a single run in run.ts.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Tx } from '../db/index.ts';
import { JobRunningError, LeaseLostError } from './errors.ts';
import { jobRepository } from './job-repository.ts';
import { jobStateRepository, type JobState } from './job-state-repository.ts';
import { createLeases, type Leases } from './leases.ts';
import { createWatcher } from './watcher.ts';
import { runUnderLease, type Job, type JobFamily, type RunEnd, type RunPlan } from './run.ts';

export interface Jobs {
  readonly leases: Leases;
  /** Registers a job; call it before `start()`. */
  register<Progress, Result>(job: Job<Progress, Result>): void;
  /** Registers a family of jobs, such as one per remote registry; call it before `start()`. */
  registerFamily<Progress, Result>(family: JobFamily<Progress, Result>): void;
  /**
   * Sets when a job is due next, in the caller's transaction; one that is due already stays so.
   * @param dueInMs undefined: on demand only
   */
  schedule(tx: Tx, name: string, dueInMs: number | undefined): Promise<void>;
  /**
   * Makes a job due now, in the caller's transaction; call `wake` after the commit. A job that is running will run
   * once more. No run begins before that transaction ends.
   * @returns whether a run is in progress
   */
  request(tx: Tx, name: string): Promise<boolean>;
  /** Forgets the runs whose process died (`JobContext.deaths`), in the caller's transaction. */
  resetDeaths(tx: Tx, name: string): Promise<void>;
  /**
   * Runs a job in this replica if it is due, without waiting for the next poll. Call it after the transaction that
   * scheduled the job has committed.
   */
  wake(name: string): void;
  /** Deletes the state of a family's member, in the caller's transaction. */
  remove(tx: Tx, name: string): Promise<void>;
  /** Inserts the rows of new jobs and starts polling. */
  start(): Promise<void>;
  /**
   * Makes a job due now, in the caller's transaction; call `wake` after the commit. Other replicas run it within a
   * second.
   * @throws job_running while it is due or running, or its lease is held by something else
   */
  makeDue(tx: Tx, name: string): Promise<void>;
  /**
   * Runs a job to completion in this process, whether or not it is due and `start()` was called; for the command line.
   *
   * @param onProgress called with every progress value
   * @throws job_running when another process holds the lease; lease_lost; what the job throws
   */
  runHere(name: string, options?: { onProgress?: (value: unknown) => void }): Promise<unknown>;
  /**
   * Reads the states of jobs by name. A job that has no row yet has no entry.
   * @param names default: all registered jobs
   * @param tx to read in the caller's transaction
   */
  states(names?: readonly string[], tx?: Tx): Promise<Map<string, JobState>>;
  /**
   * Subscribes to the states of jobs: the present ones, then each change, whichever replica runs the job. All
   * subscribers share one query a second; without subscribers there is none.
   *
   * @returns a function that unsubscribes
   */
  watch(names: readonly string[], onState: (state: JobState) => void): () => void;
  /** Stops polling, interrupts running jobs, waits up to 5 s for them, and releases every lease. */
  close(): Promise<void>;
}

export interface JobsOptions {
  database: Database;
  /** Called with the error of every failed run, and once per database outage. */
  onError: (error: unknown) => void;
  /** Unique to this instance. Default: host, process and a random part. */
  holder?: string;
  /** Poll interval; each poll is one short query. Default 1 s. */
  pollMs?: number;
  /** Time until another replica takes over from one that died. Default 30 s. */
  leaseTtlMs?: number;
  /**
   * Back-off after the first failure, doubled by each further one, up to the job's `everyMs` or an hour. Default 5 s.
   */
  backOffMs?: number;
}

const POLL_MS = 1_000;
const BACK_OFF_MS = 5_000;
const MAX_BACK_OFF_MS = 3_600_000;
/** Spreads replicas, and jobs with the same interval, over time. */
const JITTER = 0.1;
/** A job that is scheduled for now becomes due 1 ms later by the database's clock. */
const WAKE_MS = 5;
/** A run that hangs on an unresponsive storage must not block the shutdown. */
const STOP_TIMEOUT_MS = 5_000;

export function createJobs({
  database,
  onError,
  holder,
  pollMs = POLL_MS,
  leaseTtlMs,
  backOffMs = BACK_OFF_MS,
}: JobsOptions): Jobs {
  const leases = createLeases({ database, ...(holder !== undefined && { holder }) });
  const registered = new Map<string, Job>();
  const families: JobFamily[] = [];
  const rows = jobRepository(database.db, database.dialect);
  const running = new Map<string, Promise<unknown>>();
  let timer: NodeJS.Timeout | undefined;
  let polling: Promise<void> | undefined;
  const stopping = new AbortController();
  let isStarted = false;
  let isPollFailing = false;
  let closing: Promise<void> | undefined;

  const states = async (names: readonly string[] = [...registered.keys()], tx?: Tx) => {
    const reading = jobStateRepository(tx ?? database.db, database.dialect);
    return new Map(names.length === 0 ? [] : (await reading.list(names)).map((it) => [it.name, it]));
  };
  const watcher = createWatcher({ read: states, onError, intervalMs: pollMs });

  const planFor = (job: Job): RunPlan => ({
    onlyWhenDue: true,
    stopping: stopping.signal,
    afterSuccessMs: async () => (job.nextInMs ? job.nextInMs() : job.everyMs && withJitter(job.everyMs)),
    afterFailureMs: (failures) =>
      withJitter(Math.min(backOffMs * 2 ** (failures - 1), job.everyMs ?? MAX_BACK_OFF_MS, MAX_BACK_OFF_MS)),
  });

  async function runDue(job: Job): Promise<void> {
    const lease = await leases.acquire(job.name, leaseTtlMs);
    if (!lease) return;
    if (stopping.signal.aborted) return lease.release();
    const end = await runUnderLease(database, job, lease, planFor(job));
    if (end.outcome === 'failed') onError(end.error);
  }

  function startRun(job: Job): void {
    if (running.has(job.name) || stopping.signal.aborted) return;
    running.set(
      job.name,
      (job.makesRoom ? database.makingRoom(() => runDue(job)) : runDue(job)).catch(onError).finally(() => {
        running.delete(job.name);
      }),
    );
  }

  async function startDueJobs(): Promise<void> {
    const names = [...registered.keys()].filter((name) => !running.has(name));
    if (names.length === 0 && families.length === 0) return;
    for (const name of await rows.listDue(
      names,
      families.map(({ prefix }) => `${prefix}:`),
    ))
      startRun(find(name));
  }

  function poll(): void {
    timer = setTimeout(() => {
      polling = startDueJobs()
        .then(
          () => {
            isPollFailing = false;
          },
          (error: unknown) => {
            // Reported once per outage of the database, not once a second.
            if (!isPollFailing) onError(error);
            isPollFailing = true;
          },
        )
        .finally(() => {
          if (!stopping.signal.aborted) poll();
        });
    }, withJitter(pollMs)).unref();
  }

  function find(name: string): Job {
    const job = registered.get(name);
    if (job) return job;
    const family = families.find(({ prefix }) => name.startsWith(`${prefix}:`));
    if (!family) throw new Error(`unknown job: ${name}`);
    return { name, ...family.job(name.slice(family.prefix.length + 1)) };
  }

  async function insertMissing(): Promise<void> {
    for (const { name, everyMs, isDueAtStart } of registered.values()) {
      const dueInMs = (await isDueAtStart?.()) ? 0 : everyMs === undefined ? undefined : withJitter(everyMs);
      await rows.insert(name, dueInMs);
      await rows.reschedule(name, dueInMs);
    }
    for (const { prefix, keys } of families) {
      for (const key of await keys()) {
        const job = find(`${prefix}:${key}`);
        await rows.insert(job.name, await job.nextInMs?.());
      }
    }
  }

  async function runHere(job: Job, { onProgress }: { onProgress?: (value: unknown) => void } = {}): Promise<unknown> {
    const { name } = job;
    await rows.insert(name, job.everyMs);
    const lease = await leases.acquire(name, leaseTtlMs);
    if (!lease) throw alreadyRunning(name);
    const run = runUnderLease(database, job, lease, {
      ...planFor(job),
      onlyWhenDue: false,
      afterFailureMs: () => undefined,
      onProgress,
    });
    running.set(
      name,
      run.catch(() => undefined),
    );
    try {
      return resultOf(await run);
    } finally {
      running.delete(name);
    }
  }

  return {
    leases,
    register(job) {
      registered.set(job.name, job);
    },
    registerFamily(family) {
      families.push(family);
    },
    schedule: (tx, name, dueInMs) => jobRepository(tx, database.dialect).putDue(name, dueInMs),
    async request(tx, name) {
      await jobRepository(tx, database.dialect).putDueNow(name);
      return (await states([name], tx)).get(name)?.running === true;
    },
    resetDeaths: (tx, name) => jobRepository(tx, database.dialect).resetDeaths(name),
    wake(name) {
      if (isStarted)
        setTimeout(() => {
          startRun(find(name));
        }, WAKE_MS).unref();
    },
    remove: (tx, name) => jobRepository(tx, database.dialect).remove(name),
    async start() {
      isStarted = true;
      await insertMissing();
      if (!stopping.signal.aborted) poll();
    },
    async makeDue(tx, name) {
      const txRows = jobRepository(tx, database.dialect);
      await txRows.insert(find(name).name, undefined);
      if (!(await txRows.makeDue(name))) throw alreadyRunning(name);
    },
    runHere(name, options) {
      const job = find(name);
      return job.makesRoom ? database.makingRoom(() => runHere(job, options)) : runHere(job, options);
    },
    states,
    watch: watcher.watch,
    close: () => (closing ??= close()),
  };

  async function close(): Promise<void> {
    clearTimeout(timer);
    watcher.close();
    stopping.abort(new Error('the process is shutting down'));
    await polling;
    const stopped = new AbortController();
    await Promise.race([
      Promise.all(running.values()),
      sleep(STOP_TIMEOUT_MS, undefined, { signal: stopped.signal, ref: false }).catch(() => undefined),
    ]);
    stopped.abort();
    await leases.close();
  }
}

function withJitter(ms: number): number {
  return ms * (1 - JITTER + 2 * JITTER * Math.random());
}

function alreadyRunning(name: string): Error {
  return new JobRunningError(
    `${name} is already running, or its lease is held by something else, such as a backup: try again later.`,
  );
}

/** @throws what the job threw; lease_lost */
function resultOf(end: RunEnd): unknown {
  if (end.outcome === 'succeeded') return end.result;
  throw end.outcome === 'failed'
    ? end.error
    : new LeaseLostError('The job was interrupted, or another process has taken it over: try again later.');
}
