// Retries with exponential back-off: which failures are transient, and how long to wait.

import { setTimeout as sleep } from 'node:timers/promises';
import { RegistryError } from './errors.ts';

/** No response, request timeout, too many requests; 5xx in addition. */
const TRANSIENT_STATUS = new Set([0, 408, 429]);
const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 10_000;
/** Upper bound of a Retry-After that is respected. */
const MAX_RETRY_AFTER_MS = 60_000;

export interface Backoff {
  /** Waits before the next attempt. @throws the error itself if it is permanent or the retries are used up */
  wait: (error: unknown) => Promise<void>;
  /** Counts a failure, and returns how long to wait after it, in milliseconds. */
  delayAfter: (error: unknown) => number;
  /** Resets the number of failures, after the transfer has made progress. */
  reset: () => void;
}

/**
 * Makes the back-off of one transfer: exponential, with up to half of each delay as jitter.
 * @param delays upper bounds of the first delay and of all; read before each one, so that they can be changed
 */
export function createBackoff(
  retries: number,
  signal: AbortSignal | undefined,
  delays = { firstMs: FIRST_DELAY_MS, maxMs: MAX_DELAY_MS },
): Backoff {
  let failures = 0;
  const delayAfter = (error: unknown): number => {
    const ceilingMs = Math.min(delays.maxMs, delays.firstMs * 2 ** failures);
    failures += 1;
    return retryAfterOf(error) ?? (ceilingMs / 2) * (1 + Math.random());
  };
  return {
    delayAfter,
    reset: () => {
      failures = 0;
    },
    wait: async (error) => {
      if (failures >= retries || !isTransient(error)) throw error;
      await pause(delayAfter(error), signal);
    },
  };
}

/** Runs `attempt`, and up to `retries` times again after transient failures. */
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

/** Sleeps. @throws the signal's own reason */
export async function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(delayMs, undefined, signal && { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** Tells whether the same request may succeed later. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof RegistryError)) return false;
  return TRANSIENT_STATUS.has(error.status) || error.status >= 500 || error.code === 'digest_mismatch';
}

function retryAfterOf(error: unknown): number | undefined {
  if (!(error instanceof RegistryError) || error.retryAfterMs === undefined) return undefined;
  return Math.min(error.retryAfterMs, MAX_RETRY_AFTER_MS);
}
