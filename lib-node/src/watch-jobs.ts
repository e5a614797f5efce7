// Reads and reports watched artefacts: those that an event named before those that are only due, each one at a time.

import type { ArtefactUpdate, WatchErrorContext } from './options.ts';
import { readState } from './watched-state.ts';
import type { ReadState, ReportedState, WatchedRegistry } from './watched-state.ts';

/** Each read is a connection to the registry. */
const MAX_READS = 8;
/** Bounds the documents in memory, and the downloads that callbacks start. */
const MAX_JOBS = 32;
const FIRST_RETRY_MS = 1000;

interface Watched {
  id: string;
  reported: ReportedState | undefined;
  isBusy: boolean;
  /** Whether the state may have changed since the job that is running began to read it. */
  isStale: boolean;
  failures: number;
  retryTimer: NodeJS.Timeout | undefined;
}

export interface WatchJobsOptions {
  target: WatchedRegistry;
  ids: Iterable<string>;
  onUpdate: (update: ArtefactUpdate) => unknown;
  onError: (error: unknown, context: WatchErrorContext) => void;
  /** Upper bound of the delay after failures; delay after as many reads in a row have failed as may run at once. */
  maxDelayMs: number;
  signal: AbortSignal;
}

export interface WatchJobs {
  /** Reads one artefact, soon; ids that are not watched are ignored. */
  readOne: (id: string) => void;
  /** Reads all artefacts, when there is nothing more urgent. */
  readAll: () => void;
  /** Whether some of the last `readAll` are still to be read. */
  isReadingAll: () => boolean;
  /** Reads on if failures have made it pause: the registry responds again. */
  resume: () => void;
  /** Resolves once every id has been reported, or when `signal` aborts. */
  ready: Promise<void>;
}

/** Makes the jobs of one watch. */
export function createWatchJobs(options: WatchJobsOptions): WatchJobs {
  const { target, onUpdate, onError, maxDelayMs, signal } = options;
  const all = new Map(Array.from(options.ids, (id) => [id, createWatched(id)]));
  const urgent = new Set<Watched>();
  const routine = new Set<Watched>();
  let [reads, jobs, failedReads, unreported] = [0, 0, 0, all.size];
  let pauseTimer: NodeJS.Timeout | undefined;
  let becomeReady = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    becomeReady = resolve;
  });

  function enqueue(watched: Watched, isUrgent: boolean): void {
    if (watched.isBusy) watched.isStale = true;
    else if (isUrgent) {
      routine.delete(watched);
      urgent.add(watched);
    } else if (!urgent.has(watched)) routine.add(watched);
  }

  function startJobs(): void {
    while (reads < MAX_READS && jobs < MAX_JOBS && pauseTimer === undefined && !signal.aborted) {
      const queue = urgent.size > 0 ? urgent : routine;
      const [next] = queue;
      if (next === undefined) return;
      queue.delete(next);
      void run(next);
    }
  }

  /** Never rejects. */
  async function run(watched: Watched): Promise<void> {
    jobs += 1;
    watched.isBusy = true;
    clearTimeout(watched.retryTimer);
    let during: WatchErrorContext['during'] = 'read';
    try {
      const read = await readOnce(watched);
      during = 'update';
      if (read !== undefined) await report(watched, read);
      watched.failures = 0;
    } catch (error) {
      if (!signal.aborted) {
        onError(error, { during, id: watched.id });
        retryLater(watched);
      }
    }
    jobs -= 1;
    watched.isBusy = false;
    if (watched.isStale) enqueue(watched, true);
    watched.isStale = false;
    startJobs();
  }

  async function readOnce(watched: Watched): Promise<ReadState | undefined> {
    reads += 1;
    try {
      const read = await readState(target, watched.id, watched.reported, signal);
      failedReads = 0;
      return read;
    } catch (error) {
      failedReads += 1;
      if (failedReads >= MAX_READS) pauseTimer ??= setTimeout(resume, maxDelayMs);
      throw error;
    } finally {
      reads -= 1;
      startJobs();
    }
  }

  async function report(watched: Watched, { update, state }: ReadState): Promise<void> {
    if (signal.aborted) return;
    await onUpdate(update);
    if (watched.reported === undefined) unreported -= 1;
    watched.reported = state;
    if (unreported === 0) becomeReady();
  }

  function retryLater(watched: Watched): void {
    const delayMs = Math.min(maxDelayMs, FIRST_RETRY_MS * 2 ** watched.failures);
    watched.failures += 1;
    watched.retryTimer = setTimeout(
      () => {
        enqueue(watched, false);
        startJobs();
      },
      (delayMs / 2) * (1 + Math.random()),
    );
  }

  function resume(): void {
    clearTimeout(pauseTimer);
    pauseTimer = undefined;
    startJobs();
  }

  function stop(): void {
    clearTimeout(pauseTimer);
    for (const { retryTimer } of all.values()) clearTimeout(retryTimer);
    becomeReady();
  }

  if (unreported === 0) becomeReady();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  return {
    readOne: (id) => {
      const watched = all.get(id);
      if (watched !== undefined) enqueue(watched, true);
      startJobs();
    },
    readAll: () => {
      for (const watched of all.values()) enqueue(watched, false);
      startJobs();
    },
    isReadingAll: () => routine.size > 0,
    resume,
    ready,
  };
}

function createWatched(id: string): Watched {
  return { id, reported: undefined, isBusy: false, isStale: false, failures: 0, retryTimer: undefined };
}
