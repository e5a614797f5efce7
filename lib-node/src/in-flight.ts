// Deduplicates concurrent calls in one process: calls with the same key share one run. Each waiter can abort on its
// own; the run is aborted when the last one has left.

import type { Progress } from './options.ts';

export interface Waiter {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

type Report = (progress: Progress) => void;
type Run<T> = (signal: AbortSignal, report: Report) => Promise<T>;

interface SharedCall<T> {
  outcome: Promise<T>;
  controller: AbortController;
  /** One for each waiter. */
  reports: Set<Report>;
}

export interface SharedCalls<T> {
  /** Joins the call of this key, or starts it with `run`; `isFirst` tells which. */
  join: (key: string, waiter: Waiter, run: Run<T>) => Promise<{ value: T; isFirst: boolean }>;
}

/** Makes an empty set of shared calls. */
export function createSharedCalls<T>(): SharedCalls<T> {
  const calls = new Map<string, SharedCall<T>>();

  function start(key: string, run: Run<T>): SharedCall<T> {
    const controller = new AbortController();
    const reports = new Set<Report>();
    const outcome = run(controller.signal, (progress) => {
      for (const report of reports) report(progress);
    });
    const call = { outcome, controller, reports };
    calls.set(key, call);
    void outcome
      .catch(() => undefined)
      .then(() => {
        forget(key, call);
      });
    return call;
  }

  function forget(key: string, call: SharedCall<T>): void {
    if (calls.get(key) === call) calls.delete(key);
  }

  return {
    join: async (key, { signal, onProgress }, run) => {
      signal?.throwIfAborted();
      const existing = calls.get(key);
      const call = existing ?? start(key, run);
      const departure = new AbortController();
      const report: Report = (progress) => {
        try {
          onProgress?.(progress);
        } catch (error) {
          departure.abort(error);
        }
      };
      const onAbort = (): void => {
        departure.abort(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      call.reports.add(report);
      const departed = new Promise<never>((_resolve, reject) => {
        departure.signal.addEventListener(
          'abort',
          () => {
            reject(departure.signal.reason as Error);
          },
          { once: true },
        );
      });
      try {
        return { value: await Promise.race([call.outcome, departed]), isFirst: existing === undefined };
      } finally {
        signal?.removeEventListener('abort', onAbort);
        call.reports.delete(report);
        if (departure.signal.aborted && call.reports.size === 0) {
          forget(key, call);
          call.controller.abort(departure.signal.reason);
          await call.outcome.catch(() => undefined);
        }
      }
    },
  };
}

/**
 * Makes a signal that follows one caller's until it is handed over to a shared call, from when on it follows that of
 * the call: a request that a caller has begun then outlives this caller.
 */
export function createHandover(from: AbortSignal | undefined): {
  signal: AbortSignal;
  handOver: (to: AbortSignal) => void;
  /** Stops following the caller's signal, which may live much longer. */
  release: () => void;
} {
  const controller = new AbortController();
  const follow = (signal: AbortSignal | undefined): (() => void) => {
    const onAbort = (): void => {
      controller.abort(signal?.reason);
    };
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    return () => {
      signal?.removeEventListener('abort', onAbort);
    };
  };
  const release = follow(from);
  return {
    signal: controller.signal,
    release,
    handOver: (to) => {
      release();
      follow(to);
    },
  };
}
