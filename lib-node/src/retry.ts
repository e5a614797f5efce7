// What is worth another attempt, and how long to wait before it.

import { setTimeout as sleep } from 'node:timers/promises';
import { RegistryError } from './errors.ts';

/** No answer at all, request time-out, too many requests. */
const TRANSIENT_STATUS = new Set([0, 408, 429]);
const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 10_000;
/** A registry that asks for more patience than this is asked again after it all the same. */
const MAX_RETRY_AFTER_MS = 60_000;

export interface Backoff {
  /** Waits before the next attempt; throws `error` itself when it is final or came too many times in a row. */
  wait: (error: unknown) => Promise<void>;
  /** Forgets the failures so far: the transfer has made progress. */
  reset: () => void;
}

/** Makes the patience of one transfer: exponential back-off with half of each delay left to chance. */
export function createBackoff(retries: number, signal: AbortSignal | undefined): Backoff {
  let failures = 0;
  return {
    reset: () => {
      failures = 0;
    },
    wait: async (error) => {
      if (failures >= retries || !isTransient(error)) throw error;
      const ceilingMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);
      failures += 1;
      await pause(waitAskedFor(error) ?? (ceilingMs / 2) * (1 + Math.random()), signal);
    },
  };
}

/** Runs `attempt` until it succeeds, fails for good, or has failed `retries` times more. */
export async function retrying<T>(
  retries: number,
  signal: AbortSignal | undefined,
  attempt: () => Promise<T>,
): Promise<T> {
  const backoff = createBackoff(retries, signal);
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      await backoff.wait(error);
    }
  }
}

/** Sleeps; rejects with the signal's own reason. */
export async function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(delayMs, undefined, signal && { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

function isTransient(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false;
  return TRANSIENT_STATUS.has(error.status) || error.status >= 500 || error.code === 'digest_mismatch';
}

function waitAskedFor(error: unknown): number | undefined {
  if (!(error instanceof RegistryError) || error.retryAfterMs === undefined) return undefined;
  return Math.min(error.retryAfterMs, MAX_RETRY_AFTER_MS);
}
