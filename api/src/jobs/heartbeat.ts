// Heartbeat: renews a row that expires, such as a lease or a claim. Aborts a signal once another process may own it.

export interface HeartbeatOptions {
  /** How long the row is valid after each renewal. */
  ttlMs: number;
  intervalMs: number;
  /** `performance.now()` before the query that acquired the row. */
  askedAt: number;
  /** Fraction of `ttlMs` for which the holder trusts the row, so that it stops before another starts. Default 1. */
  safetyFraction?: number;
  /** Renews the row; false when another process owns it. */
  renew: () => Promise<boolean>;
  /** Makes the abort reason of `signal`. */
  lost: () => Error;
}

export interface Heartbeat {
  /** Aborted once another process may own the row, and by `stop`. */
  readonly signal: AbortSignal;
  /** Renews the row now. @throws the database's error */
  beat(): Promise<void>;
  /** Stops renewing, without changing the row. */
  stop(): void;
}

export function startHeartbeat({
  ttlMs,
  intervalMs,
  askedAt,
  safetyFraction = 1,
  renew,
  lost,
}: HeartbeatOptions): Heartbeat {
  const controller = new AbortController();
  const validMs = ttlMs * safetyFraction;
  let validUntil = askedAt + validMs;
  let timer: NodeJS.Timeout | undefined;

  function stop(): void {
    clearTimeout(timer);
    if (!controller.signal.aborted) controller.abort(lost());
  }

  async function beat(): Promise<void> {
    const startedAt = performance.now();
    if (await renew()) validUntil = startedAt + validMs;
    else stop();
  }

  function schedule(): void {
    timer = setTimeout(
      () => {
        if (performance.now() >= validUntil) return stop();
        // A short outage of the database is survived; one that outlasts the row's validity stops the heartbeat.
        const expiry = setTimeout(stop, validUntil - performance.now()).unref();
        beat()
          .catch(() => undefined)
          .finally(() => {
            clearTimeout(expiry);
            if (!controller.signal.aborted) schedule();
          });
      },
      Math.min(intervalMs, Math.max(0, validUntil - performance.now())),
    ).unref();
  }

  schedule();
  return { signal: controller.signal, beat, stop };
}
