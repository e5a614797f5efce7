// Lets calls in one process that want the same thing share the work: each may leave by its own signal, the work ends
// with the last.

import type { Progress } from './options.ts';

export interface Passenger {
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
}

type Report = (progress: Progress) => void;
type Work<T> = (signal: AbortSignal, report: Report) => Promise<T>;

interface Flight<T> {
  outcome: Promise<T>;
  controller: AbortController;
  reports: Set<Report>;
}

export interface Flights<T> {
  /** Joins the work of that key, or starts it; `isFirst` tells which. */
  join: (key: string, passenger: Passenger, work: Work<T>) => Promise<{ value: T; isFirst: boolean }>;
}

/** Makes an empty set of shared works. */
export function createFlights<T>(): Flights<T> {
  const flights = new Map<string, Flight<T>>();

  function start(key: string, work: Work<T>): Flight<T> {
    const controller = new AbortController();
    const reports = new Set<Report>();
    const outcome = work(controller.signal, (progress) => {
      for (const report of reports) report(progress);
    });
    const flight = { outcome, controller, reports };
    flights.set(key, flight);
    void outcome
      .catch(() => undefined)
      .then(() => {
        forget(key, flight);
      });
    return flight;
  }

  function forget(key: string, flight: Flight<T>): void {
    if (flights.get(key) === flight) flights.delete(key);
  }

  return {
    join: async (key, { signal, onProgress }, work) => {
      signal?.throwIfAborted();
      const known = flights.get(key);
      const flight = known ?? start(key, work);
      const left = new AbortController();
      const report: Report = (progress) => {
        try {
          onProgress?.(progress);
        } catch (error) {
          left.abort(error);
        }
      };
      const onAbort = (): void => {
        left.abort(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      flight.reports.add(report);
      const leaving = new Promise<never>((_resolve, reject) => {
        left.signal.addEventListener(
          'abort',
          () => {
            reject(left.signal.reason as Error);
          },
          { once: true },
        );
      });
      try {
        return { value: await Promise.race([flight.outcome, leaving]), isFirst: known === undefined };
      } finally {
        signal?.removeEventListener('abort', onAbort);
        flight.reports.delete(report);
        if (left.signal.aborted && flight.reports.size === 0) {
          forget(key, flight);
          flight.controller.abort(left.signal.reason);
          await flight.outcome.catch(() => undefined);
        }
      }
    },
  };
}
