// Watches jobs for all who look on in this process: one query a second, and none while nobody looks.

import type { JobState } from './job-repository.ts';

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

interface Viewer {
  names: readonly string[];
  onState: (state: JobState) => void;
  shown: Map<string, string>;
}

export function createWatcher({ read, onError, intervalMs }: WatcherOptions): Watcher {
  const viewers = new Set<Viewer>();
  let timer: NodeJS.Timeout | undefined;
  let isReading = false;
  let isFailing = false;
  let isWanted = false;

  async function look(): Promise<void> {
    clearTimeout(timer);
    isWanted = isReading;
    if (isReading) return;
    isReading = true;
    try {
      const states = await read([...new Set([...viewers].flatMap(({ names }) => names))]);
      for (const viewer of viewers) show(viewer, states);
      isFailing = false;
    } catch (error) {
      // Once for each time that the database is away, not once a second.
      if (!isFailing) onError(error);
      isFailing = true;
    } finally {
      isReading = false;
    }
    // One who came while it was read is not kept waiting.
    if (viewers.size > 0) timer = setTimeout(() => void look(), isWanted ? 0 : intervalMs).unref();
  }

  return {
    watch(names, onState) {
      const viewer = { names, onState, shown: new Map<string, string>() };
      viewers.add(viewer);
      void look();
      return () => {
        viewers.delete(viewer);
        if (viewers.size === 0) clearTimeout(timer);
      };
    },
    close() {
      viewers.clear();
      clearTimeout(timer);
    },
  };
}

/** Shows a viewer what has changed since it was last shown to them. */
function show({ names, onState, shown }: Viewer, states: ReadonlyMap<string, JobState>): void {
  for (const name of names) {
    const state = states.get(name);
    const text = JSON.stringify(state);
    if (!state || shown.get(name) === text) continue;
    shown.set(name, text);
    onState(state);
  }
}
