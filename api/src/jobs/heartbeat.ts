// Keeps a row that says "this is mine until then" alive, and tells when another may have it. What the row is, its
// owner knows.

export interface HeartbeatOptions {
  /** How long the row holds after each renewal. */
  ttlMs: number;
  intervalMs: number;
  /** When the row was asked for: before the database's answer (performance.now()). */
  askedAt: number;
  /** Which share of `ttlMs` counts here, so that the holder stops before another begins. Default 1. */
  safeShare?: number;
  /** Renews the row; false when another has it. */
  renew: () => Promise<boolean>;
  /** The reason of `signal`. */
  lost: () => Error;
}

export interface Heartbeat {
  /** Aborted once another may have the row, and by `stop`. */
  readonly signal: AbortSignal;
  /** Renews the row now. @throws what the database does */
  beat(): Promise<void>;
  /** Ends it without touching the row. */
  stop(): void;
}

export function startHeartbeat({
  ttlMs,
  intervalMs,
  askedAt,
  safeShare = 1,
  renew,
  lost,
}: HeartbeatOptions): Heartbeat {
  const controller = new AbortController();
  const goodMs = ttlMs * safeShare;
  let goodUntil = askedAt + goodMs;
  let timer: NodeJS.Timeout | undefined;

  function stop(): void {
    clearTimeout(timer);
    if (!controller.signal.aborted) controller.abort(lost());
  }

  async function beat(): Promise<void> {
    const startedAt = performance.now();
    if (await renew()) goodUntil = startedAt + goodMs;
    else stop();
  }

  function schedule(): void {
    timer = setTimeout(
      () => {
        if (performance.now() >= goodUntil) return stop();
        // A database that is away for a moment does not end it; one that stays away longer than the row holds does.
        const overdue = setTimeout(stop, goodUntil - performance.now()).unref();
        beat()
          .catch(() => undefined)
          .finally(() => {
            clearTimeout(overdue);
            if (!controller.signal.aborted) schedule();
          });
      },
      Math.min(intervalMs, Math.max(0, goodUntil - performance.now())),
    ).unref();
  }

  schedule();
  return { signal: controller.signal, beat, stop };
}
