// Watches artefacts: reports their states, by a stream of events while there is one, else by polling.

import type { ArtefactWatch, WatchArtefactsOptions, WatchErrorContext } from './options.ts';
import { DEFAULT_STREAM_TIMEOUT_MS } from './reconnect.ts';
import { createRegistry } from './registry.ts';
import { checkOptions, watchRules } from './rules.ts';
import { createWatchJobs } from './watch-jobs.ts';
import { runWatchStream } from './watch-stream.ts';
import { learnFrom } from './watched-state.ts';

const DEFAULT_POLL_INTERVAL_MS = 30_000;
const DEFAULT_REFRESH_INTERVAL_MS = 5 * 60_000;
/** The artefacts are not read before the stream is open, so as not to read them twice, but no later than this. */
const MAX_START_DELAY_MS = 1000;

/**
 * Watches artefacts until `close` or `signal`, and keeps the process alive as long. Calls `onUpdate` once with the
 * state of each id, then whenever it has changed: in less than a second while the registry's stream of events is open,
 * else after `pollIntervalMs`. States in between may be left out, the last one never is.
 *
 * Events only tell when to read an artefact. All are read at the start, whenever events may have been missed, and
 * every `refreshIntervalMs`. With a registry without events, and while the stream is down, all are read every
 * `pollIntervalMs`.
 *
 * @throws TypeError if an option is unknown, missing or invalid; all later failures go to `onError`
 */
export function watchArtefacts(options: WatchArtefactsOptions): ArtefactWatch {
  checkOptions('watchArtefacts', options, watchRules);
  const { pollIntervalMs = DEFAULT_POLL_INTERVAL_MS, refreshIntervalMs = DEFAULT_REFRESH_INTERVAL_MS } = options;
  const controller = new AbortController();
  const { signal } = controller;
  const target = { registry: createRegistry(options), statesCodes: false };
  const ids = new Set(options.ids);
  const onError = createReporter(options);
  const jobs = createWatchJobs({
    target,
    ids,
    onUpdate: options.onUpdate,
    onError,
    maxDelayMs: pollIntervalMs,
    signal,
  });

  let timer = setTimeout(readAll, MAX_START_DELAY_MS);
  let readAllAt: number | undefined;
  /** When the stream was lost; undefined while it is open. */
  let downAt: number | undefined = performance.now();

  function readAll(): void {
    readAllAt = performance.now();
    jobs.readAll();
    schedule();
  }

  function schedule(): void {
    clearTimeout(timer);
    if (signal.aborted) return;
    const last = readAllAt ?? -Infinity;
    const dueAt = downAt === undefined ? last + refreshIntervalMs : Math.max(last, downAt) + pollIntervalMs;
    const delayMs = Math.max(0, dueAt - performance.now()) * (0.9 + 0.1 * Math.random());
    // A round that takes longer than the interval is completed first.
    timer = setTimeout(() => (jobs.isReadingAll() ? postpone() : readAll()), delayMs);
  }

  function postpone(): void {
    readAllAt = performance.now();
    schedule();
  }

  const stream =
    ids.size === 0
      ? Promise.resolve()
      : runWatchStream({
          registry: target.registry,
          ids,
          streamTimeoutMs: options.streamTimeoutMs ?? DEFAULT_STREAM_TIMEOUT_MS,
          slowDelayMs: refreshIntervalMs,
          signal,
          onOpen: (isResumed) => {
            downAt = undefined;
            target.statesCodes = true;
            jobs.resume();
            if (isResumed) schedule();
            else readAll();
          },
          onDown: (error) => {
            learnFrom(target, error);
            downAt ??= performance.now();
            if (readAllAt === undefined) readAll();
            else schedule();
          },
          onHint: jobs.readOne,
          onError: (error) => {
            onError(error, { during: 'stream', id: undefined });
          },
        });

  const close = async (): Promise<void> => {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', closeNow);
    controller.abort();
    await stream;
  };
  const closeNow = (): void => void close();
  options.signal?.addEventListener('abort', closeNow, { once: true });
  if (options.signal?.aborted) closeNow();
  return { ready: jobs.ready, close };
}

/** Calls the option `onError`; its own failures have nowhere to go. */
function createReporter({ onError }: WatchArtefactsOptions): (error: unknown, context: WatchErrorContext) => void {
  return (error, context) => {
    void (async () => await onError?.(error, context))().catch(() => undefined);
  };
}
