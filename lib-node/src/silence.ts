// Bounds how long a connection may say nothing: a request that hangs counts as a lost connection.

export interface SilenceWatch {
  /** Aborts when the silence has lasted too long or when the caller's signal does. */
  signal: AbortSignal;
  /** Starts counting the silence anew. */
  listen: () => void;
  /** Stops counting while it is we who are busy. */
  rest: () => void;
  /** Stops for good and lets go of the caller's signal. */
  end: () => void;
}

/** Watches one request from now on. */
export function watchSilence(timeoutMs: number, callerSignal: AbortSignal | undefined): SilenceWatch {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    controller.abort(callerSignal?.reason);
  };
  const rest = (): void => {
    clearTimeout(timer);
  };
  const listen = (): void => {
    rest();
    timer = setTimeout(() => {
      controller.abort(new Error(`nothing came for ${timeoutMs} ms`));
    }, timeoutMs).unref();
  };
  if (callerSignal?.aborted) onAbort();
  callerSignal?.addEventListener('abort', onAbort, { once: true });
  listen();
  return {
    signal: controller.signal,
    listen,
    rest,
    end: () => {
      rest();
      callerSignal?.removeEventListener('abort', onAbort);
    },
  };
}
