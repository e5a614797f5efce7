import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Returns a function that delays its caller until the bytes so far are within the rate limit.
 * @param bytesPerSecond undefined: no limit
 * @param signal ends a delay with its reason
 */
export function createThrottle(
  bytesPerSecond: number | undefined,
  signal: AbortSignal | undefined,
): (bytes: number) => Promise<void> {
  const startedAt = performance.now();
  let total = 0;
  return async (bytes) => {
    if (bytesPerSecond === undefined) return;
    total += bytes;
    const aheadMs = (total / bytesPerSecond) * 1000 - (performance.now() - startedAt);
    if (aheadMs > 0) await sleep(aheadMs, undefined, { signal });
  };
}
