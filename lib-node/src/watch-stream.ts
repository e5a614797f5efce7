// Keeps the stream of events of a watch open. An event is only a hint at which artefact to read.

import { readEvents } from './event-source.ts';
import { RegistryError } from './errors.ts';
import { adoptDelay, createReconnectDelays } from './reconnect.ts';
import type { Registry } from './registry.ts';
import { createBackoff, isTransient, pause } from './retry.ts';

/** All that an artefact's document may have changed by. */
const TYPES = ['artefact.', 'slot.'];

export interface WatchStreamOptions {
  registry: Registry;
  ids: ReadonlySet<string>;
  streamTimeoutMs: number;
  /** Delay after a refusal that will not end by itself, such as an older registry's. */
  slowDelayMs: number;
  signal: AbortSignal;
  /** Called when events arrive; `isResumed` tells that none were missed since the previous connection. */
  onOpen: (isResumed: boolean) => void;
  /** Called when a connection is lost, and after each failure to connect. */
  onDown: (error: unknown) => void;
  onHint: (id: string) => void;
  /**
   * Called with the first failure of each code to connect, until the stream is open again. Neither the loss of a
   * connection nor a registry without events is one.
   */
  onError: (error: unknown) => void;
}

/** Runs until `signal` aborts; never rejects. */
export async function runWatchStream(options: WatchStreamOptions): Promise<void> {
  const { registry, ids, streamTimeoutMs, slowDelayMs, signal, onOpen, onDown, onHint, onError } = options;
  const delays = createReconnectDelays();
  const backoff = createBackoff(Infinity, signal, delays);
  // After these failures, every artefact is read again, which may be thousands of requests.
  const costlyBackoff = createBackoff(Infinity, signal, { firstMs: 1000, maxMs: slowDelayMs });
  let after: string | undefined;
  let hasOpened = false;
  const reportedCodes = new Set<string>();

  /** Reads one connection until it fails, and returns why. */
  async function connect(): Promise<{ error: unknown; openedAt: number | undefined }> {
    const isResumed = after !== undefined;
    let openedAt: number | undefined;
    let failure: unknown;
    try {
      const query = { types: TYPES, artefactIds: ids, after };
      for await (const { cursor, retryMs, event } of readEvents(registry, query, streamTimeoutMs, signal)) {
        adoptDelay(delays, retryMs);
        after = cursor;
        // Until the place is known, what happens between two connections may be missed.
        if (openedAt === undefined && cursor !== undefined) {
          openedAt = performance.now();
          hasOpened = true;
          reportedCodes.clear();
          backoff.reset();
          onOpen(isResumed);
        }
        if (event?.subject !== undefined) onHint(event.subject);
      }
    } catch (error) {
      failure = error;
    }
    return { error: failure, openedAt };
  }

  function report(error: unknown): void {
    const { status, code } = detailsOf(error);
    const isOlder = status === 404 && !hasOpened;
    if (!isOlder && !reportedCodes.has(code)) onError(error);
    reportedCodes.add(code);
  }

  /** Decides what follows from a failure, and how long to wait. */
  function settle(error: unknown, openForMs: number): number {
    const { status, code } = detailsOf(error);
    const wasOpen = openForMs >= 0;
    if (openForMs >= slowDelayMs) costlyBackoff.reset();
    const isGone = code === 'events_gone' && after !== undefined;
    if (!isGone && !(wasOpen && isTransient(error))) report(error);
    if (isTransient(error) || (status === 404 && hasOpened)) return backoff.delayAfter(error);
    if (status === 401 || status === 403) return slowDelayMs;
    after = undefined;
    return hasOpened && (isGone || code === 'bad_answer') ? costlyBackoff.delayAfter(error) : slowDelayMs;
  }

  while (!signal.aborted) {
    const { error, openedAt = Infinity } = await connect();
    if (signal.aborted) return;
    onDown(error);
    await pause(settle(error, performance.now() - openedAt), signal).catch(() => undefined);
  }
}

function detailsOf(error: unknown): { status: number; code: string } {
  return error instanceof RegistryError ? error : { status: 0, code: String(error) };
}
