// Limits how many tarballs are inflated at the same time to reach a file in them: gzip has no index, so whatever
// precedes the file is inflated as well, up to some ten seconds of a processor for a few kilobytes.

import { TarballReadsBusyError } from './errors.ts';

export interface Inflations {
  /**
   * Waits for a turn. Each caller gets one at a time, so that others have theirs as well.
   *
   * @param owner who inflates
   * @param signal gives up waiting
   * @returns ends the turn; idempotent
   * @throws tarball_reads_busy if too many wait, or the wait takes too long; the signal's reason
   */
  begin(owner: string, signal: AbortSignal): Promise<() => void>;
}

export interface InflationOptions {
  /** Default 5 s. */
  waitMs?: number;
}

/** Of the four threads that Node also needs for files and names. */
const MAX_RUNNING = 2;
const MAX_WAITING = 16;
/** Of one caller; a page shows one file at a time. */
const MAX_WAITING_OF_OWNER = 4;
const WAIT_MS = 5_000;

interface Waiting {
  owner: string;
  start: () => void;
}

export function createInflations({ waitMs = WAIT_MS }: InflationOptions = {}): Inflations {
  const running = new Set<string>();
  let waiting: Waiting[] = [];

  function startNext(): void {
    if (running.size >= MAX_RUNNING) return;
    const next = waiting.find(({ owner }) => !running.has(owner));
    if (!next) return;
    waiting = waiting.filter((it) => it !== next);
    next.start();
    startNext();
  }

  return {
    async begin(owner, signal) {
      signal.throwIfAborted();
      const isFree = running.size < MAX_RUNNING && !running.has(owner);
      if (
        !isFree &&
        (waiting.length >= MAX_WAITING || waiting.filter((it) => it.owner === owner).length >= MAX_WAITING_OF_OWNER)
      )
        throw busy();
      await new Promise<void>((resolve, reject) => {
        const leave = (reason: Error) => {
          waiting = waiting.filter((it) => it !== entry);
          settle();
          reject(reason);
        };
        const onAbort = () => {
          leave(signal.reason as Error);
        };
        const timer = setTimeout(() => {
          leave(busy());
        }, waitMs);
        const settle = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', onAbort);
        };
        const entry = {
          owner,
          start: () => {
            running.add(owner);
            settle();
            resolve();
          },
        };
        signal.addEventListener('abort', onAbort);
        waiting.push(entry);
        startNext();
      });
      let isOver = false;
      return () => {
        if (isOver) return;
        isOver = true;
        running.delete(owner);
        startNext();
      };
    },
  };
}

function busy(): Error {
  return new TarballReadsBusyError('The registry is reading files of other tarballs: try again in a moment.');
}
