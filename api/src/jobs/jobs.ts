// Due work: one loop in each replica asks every second what is due, and whoever gets the lease runs it.
// Leases live in leases.ts, a single run in run.ts.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Database, Tx } from '../db/index.ts';
import { JobRunningError, LeaseLostError } from './errors.ts';
import { jobRepository, type JobState } from './job-repository.ts';
import { createLeases, type Leases } from './leases.ts';
import { createWatcher } from './watcher.ts';
import { runUnderLease, type Job, type RunEnd, type RunPlan } from './run.ts';

export interface Jobs {
  readonly leases: Leases;
  /** Adds a job; before `start()`. */
  register<Progress, Result>(job: Job<Progress, Result>): void;
  /** Adds all jobs of one kind, such as one for each remote registry; before `start()`. */
  registerFamily<Progress, Result>(family: JobFamily<Progress, Result>): void;
  /**
   * Makes a job due at another time, in the caller's transaction; one that runs will run once more.
   * @param dueInMs undefined: only on demand
   */
  schedule(tx: Tx, name: string, dueInMs: number | undefined): Promise<void>;
  /**
   * Looks at once, in this replica, whether a job is due, for one that was scheduled in a transaction that has been
   * committed.
   */
  wake(name: string): void;
  /** Forgets a member of a family, in the caller's transaction. */
  forget(tx: Tx, name: string): Promise<void>;
  /** Makes the rows of jobs that are new and begins to run what is due. */
  start(): Promise<void>;
  /**
   * Makes a job due now: this replica tries at once, others within a second.
   *
   * @param alongside writes in the same transaction, an audit line for example
   * @throws job_running while it is due or under way, or something else holds its lease
   */
  runNow(name: string, alongside?: (tx: Tx) => Promise<void>): Promise<void>;
  /**
   * Runs a job in this process to its end, due or not, started or not; for the command line.
   *
   * @param onProgress shown every progress
   * @throws job_running when another process has the lease; lease_lost; whatever the job throws
   */
  runHere(name: string, options?: { onProgress?: (value: unknown) => void }): Promise<unknown>;
  /**
   * Reads what is known of jobs, by name: all that are registered, or these. A job that never ran anywhere has no
   * entry.
   */
  states(names?: readonly string[]): Promise<Map<string, JobState>>;
  /**
   * Tells the states of jobs now, and each that changes from then on, whichever replica runs it. The database is asked
   * once a second, for all who watch together, and not at all while nobody does.
   *
   * @returns ends it /
   */
  watch(names: readonly string[], onState: (state: JobState) => void): () => void;
  /** Runs no more, interrupts what runs and waits up to 5 s for it, and gives every lease back. */
  close(): Promise<void>;
}

/** Jobs that differ in a key, and come and go while the server runs; they are named `<prefix>:<key>`. */
export interface JobFamily<Progress = unknown, Result = unknown> {
  /** `<slice>.<work>`. */
  prefix: string;
  /** Keys of all members that there are, for a start on a database that knows nothing of their jobs. */
  keys(): Promise<string[]>;
  job(key: string): Omit<Job<Progress, Result>, 'name' | 'everyMs'>;
}

export interface JobsOptions {
  database: Database;
  /** Called with the error of every run that failed, and when the database does not answer. */
  onError: (error: unknown) => void;
  /** Unique to this instance. Default: host, process and a random part. */
  holder?: string;
  /** How often the loop asks; each replica costs the database one short query. Default 1 s. */
  pollMs?: number;
  /** For how long a job stays with a replica that died. Default 30 s. */
  leaseTtlMs?: number;
  /**
   * Wait after the first failure of a job, doubled by each further one, up to its `everyMs` or an hour. Default 5 s.
   */
  backOffMs?: number;
}

const POLL_MS = 1_000;
const BACK_OFF_MS = 5_000;
const MAX_BACK_OFF_MS = 3_600_000;
/** Keeps replicas, and jobs of one interval, from doing all at the same moment. */
const JITTER = 0.1;
/** What is scheduled for now is due a moment later by the database's clock. */
const WAKE_MS = 5;
/** A run that hangs in a storage that does not answer must not hold up the stop. */
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
  let asking: Promise<void> | undefined;
  const stopping = new AbortController();
  let started = false;
  let askingFails = false;
  let closing: Promise<void> | undefined;

  const states = async (names: readonly string[] = [...registered.keys()]) =>
    new Map(names.length === 0 ? [] : (await rows.list(names)).map((it) => [it.name, it]));
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

  function begin(job: Job): void {
    if (running.has(job.name) || stopping.signal.aborted) return;
    running.set(
      job.name,
      runDue(job)
        .catch(onError)
        .finally(() => {
          running.delete(job.name);
        }),
    );
  }

  async function askWhatIsDue(): Promise<void> {
    const names = [...registered.keys()].filter((name) => !running.has(name));
    if (names.length === 0 && families.length === 0) return;
    for (const name of await rows.listDue(
      names,
      families.map(({ prefix }) => `${prefix}:`),
    ))
      begin(find(name));
  }

  function poll(): void {
    timer = setTimeout(() => {
      asking = askWhatIsDue()
        .then(
          () => {
            askingFails = false;
          },
          (error: unknown) => {
            // Once for each time that the database is away, not once a second.
            if (!askingFails) onError(error);
            askingFails = true;
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
    if (!family) throw new Error(`no job is named ${name}`);
    return { name, ...family.job(name.slice(family.prefix.length + 1)) };
  }

  async function insertMissing(): Promise<void> {
    for (const { name, everyMs } of registered.values())
      await rows.insert(name, everyMs === undefined ? undefined : withJitter(everyMs));
    for (const { prefix, keys } of families) {
      for (const key of await keys()) {
        const job = find(`${prefix}:${key}`);
        await rows.insert(job.name, await job.nextInMs?.());
      }
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
    wake(name) {
      if (started)
        setTimeout(() => {
          begin(find(name));
        }, WAKE_MS).unref();
    },
    forget: (tx, name) => jobRepository(tx, database.dialect).remove(name),
    async start() {
      started = true;
      await insertMissing();
      if (!stopping.signal.aborted) poll();
    },
    async runNow(name, alongside) {
      const job = find(name);
      await database.transaction(async (tx) => {
        const inside = jobRepository(tx, database.dialect);
        await inside.insert(name, undefined);
        if (!(await inside.makeDue(name))) throw alreadyRunning(name);
        await alongside?.(tx);
      });
      if (started) begin(job);
    },
    async runHere(name, { onProgress } = {}) {
      const job = find(name);
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
    },
    states,
    watch: watcher.watch,
    close: () => (closing ??= close()),
  };

  async function close(): Promise<void> {
    clearTimeout(timer);
    watcher.close();
    stopping.abort(new Error('the process stops'));
    await asking;
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
    `${name} is under way, or something that it must not disturb: try again when that has ended.`,
  );
}

/** @throws what the job threw; lease_lost */
function resultOf(end: RunEnd): unknown {
  if (end.outcome === 'succeeded') return end.result;
  throw end.outcome === 'failed'
    ? end.error
    : new LeaseLostError('The work was interrupted, or taken over by another process: try again later.');
}
