// Polls the states of watched jobs for all subscribers of this process: one query a second, none without subscribers.

import type { JobState } from './job-state-repository.ts';

export interface Watcher {
  /** As Jobs.watch. */
  watch(names: readonly string[], onState: (state: JobState) => void): () => void;
  close(): void;
}

export interface WatcherOptions {
  read: (names: readonly string[]) => Promise<Map<string, JobState>>;
  onError: (error: unknown) => void;
  intervalMs: number;
}

interface Subscriber {
  names: readonly string[];
  onState: (state: JobState) => void;
  /** Last state that was sent, as JSON by name. */
  sent: Map<string, string>;
}

export function createWatcher({ read, onError, intervalMs }: WatcherOptions): Watcher {
  const subscribers = new Set<Subscriber>();
  let timer: NodeJS.Timeout | undefined;
  let isReading = false;
  let isFailing = false;
  let pollAgain = false;

  async function poll(): Promise<void> {
    clearTimeout(timer);
    pollAgain = isReading;
    if (isReading) return;
    isReading = true;
    try {
      const states = await read([...new Set([...subscribers].flatMap(({ names }) => names))]);
      for (const subscriber of subscribers) sendChanges(subscriber, states);
      isFailing = false;
    } catch (error) {
      // Reported once per outage of the database, not once a second.
      if (!isFailing) onError(error);
      isFailing = true;
    } finally {
      isReading = false;
    }
    // A subscriber that was added during the query gets its first states without a delay.
    if (subscribers.size > 0) timer = setTimeout(() => void poll(), pollAgain ? 0 : intervalMs).unref();
  }

  return {
    watch(names, onState) {
      const subscriber = { names, onState, sent: new Map<string, string>() };
      subscribers.add(subscriber);
      void poll();
      return () => {
        subscribers.delete(subscriber);
        if (subscribers.size === 0) clearTimeout(timer);
      };
    },
    close() {
      subscribers.clear();
      clearTimeout(timer);
    },
  };
}

/** Sends the states that have changed since the subscriber last got them. */
function sendChanges({ names, onState, sent }: Subscriber, states: ReadonlyMap<string, JobState>): void {
  for (const name of names) {
    const state = states.get(name);
    const text = JSON.stringify(state);
    if (!state || sent.get(name) === text) continue;
    sent.set(name, text);
    onState(state);
  }
}
