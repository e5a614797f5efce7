// Reads new events once for all streams of this process, as long as there are any: a query every 250 ms. A stream that
// is behind reads for itself until it has caught up.

import { setTimeout as sleep } from 'node:timers/promises';
import { isBefore, type Position, type StoredEvent } from './outbox.ts';

export interface Feed {
  /**
   * Waits for events behind a place.
   * @returns the next of them, at least one; undefined once `signal` is aborted or the feed is closed
   */
  next(after: Position, signal: AbortSignal): Promise<StoredEvent[] | undefined>;
  /**
   * Aborted after an outage, in which the database may have lost commits or moved to another server: those who follow
   * must find their places again, by the ID.
   */
  readonly lifetime: AbortSignal;
  close(): void;
}

export interface FeedOptions {
  /** Reads the next events behind a place, at most `limit`. */
  read: (after: Position, limit: number) => Promise<StoredEvent[]>;
  /** Called after each outage, before anybody reads. */
  recover: () => Promise<void>;
  /** Called once for each outage of the database. */
  onError: (error: unknown) => void;
  /** Default 250 ms. */
  intervalMs?: number | undefined;
}

type Waiter = (rows: StoredEvent[] | undefined) => void;

const INTERVAL_MS = 250;
/** How long a stream that is behind waits before it asks a failing database again. */
const RETRY_MS = 1000;
/** Events per query: some 60 kB for each stream. */
const BATCH_SIZE = 100;

export function createFeed({ read, recover, onError, intervalMs = INTERVAL_MS }: FeedOptions): Feed {
  const waiting = new Set<Waiter>();
  /** What has been read for those who wait; undefined while nobody does. */
  let end: Position | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isFailing = false;
  let isClosed = false;
  let lifetime = new AbortController();

  async function poll(): Promise<void> {
    let isMore = false;
    if (end === undefined || waiting.size === 0) {
      end = undefined;
      timer = undefined;
      return;
    }
    const rows = await readOrReport(end);
    const last = rows?.at(-1);
    if (last) {
      end = last.position;
      isMore = rows?.length === BATCH_SIZE;
      for (const resolve of [...waiting]) resolve(rows);
    }
    if (!isClosed) timer = setTimeout(() => void poll(), isMore ? 0 : intervalMs);
  }

  /** Undefined while the database fails. */
  async function readOrReport(after: Position): Promise<StoredEvent[] | undefined> {
    try {
      if (isFailing) {
        await recover();
        // Another reader may have been first.
        if (isFailing) restart();
        isFailing = false;
        return undefined;
      }
      return await read(after, BATCH_SIZE);
    } catch (error) {
      if (!isFailing && !isClosed) onError(error);
      isFailing = true;
      return undefined;
    }
  }

  function restart(): void {
    end = undefined;
    lifetime.abort();
    lifetime = new AbortController();
  }

  /** Waits for what the next poll finds; undefined at the end. */
  function wait(signal: AbortSignal): Promise<StoredEvent[] | undefined> {
    if (signal.aborted || isClosed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const done: Waiter = (rows) => {
        waiting.delete(done);
        signal.removeEventListener('abort', stop);
        resolve(rows);
      };
      const stop = () => {
        done(undefined);
      };
      waiting.add(done);
      signal.addEventListener('abort', stop, { once: true });
      timer ??= setTimeout(() => void poll(), intervalMs);
    });
  }

  return {
    async next(after, signal) {
      while (!signal.aborted && !isClosed) {
        if (end === undefined || isBefore(after, end)) {
          const rows = await readOrReport(after);
          if (rows === undefined) {
            await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
            continue;
          }
          if (rows.length > 0) return rows;
          // Another stream may have begun to wait, and a poll may have read on, during the query.
          end ??= after;
          if (isBefore(after, end)) continue;
        }
        const rows = await wait(signal);
        if (rows === undefined) return undefined;
        const newer = rows.filter(({ position }) => isBefore(after, position));
        if (newer.length > 0) return newer;
      }
      return undefined;
    },
    get lifetime() {
      return lifetime.signal;
    },
    close() {
      isClosed = true;
      clearTimeout(timer);
      for (const resolve of [...waiting]) resolve(undefined);
    },
  };
}
