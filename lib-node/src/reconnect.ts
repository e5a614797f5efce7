// When to connect again after a stream of events is lost.

/** Registries send a heartbeat every 15 seconds, so that two of them may be lost. */
export const DEFAULT_STREAM_TIMEOUT_MS = 45_000;
/** Bounds of the delays before another connection, whatever the registry asks for. */
const MIN_FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 30_000;

/** Upper bounds of the first delay and of all; each further one is twice as long. */
export interface ReconnectDelays {
  firstMs: number;
  maxMs: number;
}

export function createReconnectDelays(): ReconnectDelays {
  return { firstMs: 1000, maxMs: MAX_DELAY_MS };
}

/** Adopts the first delay that the registry asks for (`retry: 2000`), if it does. */
export function adoptDelay(delays: ReconnectDelays, retryMs: number | undefined): void {
  if (retryMs !== undefined) delays.firstMs = Math.min(MAX_DELAY_MS, Math.max(MIN_FIRST_DELAY_MS, retryMs));
}
