// Aborts a request when its connection is idle for too long, which then counts as lost.

export interface IdleTimeout {
  /** Aborts when the timeout expires or the caller's signal aborts. */
  signal: AbortSignal;
  /** Starts the timeout anew. */
  restart: () => void;
  /** Suspends the timeout while this process, not the registry, is busy. */
  pause: () => void;
  /** Stops for good and detaches from the caller's signal. */
  stop: () => void;
}

/** Starts the timeout of one request. */
export function startIdleTimeout(timeoutMs: number, callerSignal: AbortSignal | undefined): IdleTimeout {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    controller.abort(callerSignal?.reason);
  };
  const pause = (): void => {
    clearTimeout(timer);
  };
  const restart = (): void => {
    pause();
    timer = setTimeout(() => {
      controller.abort(new Error(`no data for ${timeoutMs} ms`));
    }, timeoutMs).unref();
  };
  if (callerSignal?.aborted) onAbort();
  callerSignal?.addEventListener('abort', onAbort, { once: true });
  restart();
  return {
    signal: controller.signal,
    restart,
    pause,
    stop: () => {
      pause();
      callerSignal?.removeEventListener('abort', onAbort);
    },
  };
}
