// Follows a registry's events, over as many connections as it takes.

import { readEvents } from './event-source.ts';
import { RegistryError } from './errors.ts';
import type { FollowEventsOptions } from './options.ts';
import { adoptDelay, createReconnectDelays, DEFAULT_STREAM_TIMEOUT_MS } from './reconnect.ts';
import { createRegistry } from './registry.ts';
import { createBackoff, isTransient } from './retry.ts';
import { checkOptions, followRules } from './rules.ts';
import type { BerthEvent } from './types.ts';

/**
 * Yields the registry's events, oldest first, each one once, as they happen: over one connection that stays open, and
 * after its loss over another one that goes on where the last one stopped. An event counts as received when the next
 * one is asked for. Ends only by `signal` or by an error, or when the loop around it is left.
 *
 * Before the first connection, transient failures are retried as often as `retries` says; once it stood, for as long
 * as it takes, each half a second to 30 seconds after the last one.
 *
 * @throws TypeError at once if an option is unknown, missing or invalid
 * @throws RegistryError 410 `events_gone` if `after` is not known any more, also when it goes on: read the state
 *   again, then follow from `latest`
 * @throws RegistryError 404 from a registry without events; 401 or 403 if the caller may not read them; 400 for an
 *   unknown type; `bad_answer` if what arrives is no stream of events
 */
export function followEvents(options: FollowEventsOptions): AsyncGenerator<BerthEvent, never, void> {
  checkOptions('followEvents', options, followRules);
  return follow(options);
}

async function* follow(options: FollowEventsOptions): AsyncGenerator<BerthEvent, never, void> {
  const { types = [], artefactIds, signal, streamTimeoutMs = DEFAULT_STREAM_TIMEOUT_MS } = options;
  const { onInterruption, onResumption } = options;
  const registry = createRegistry(options);
  const query = { types, artefactIds: artefactIds && new Set(artefactIds) };
  const delays = createReconnectDelays();
  let backoff = createBackoff(registry.retries, signal);
  let after = options.after;
  let hasConnected = false;
  let isInterrupted = false;
  for (;;) {
    try {
      for await (const item of readEvents(registry, { ...query, after }, streamTimeoutMs, signal)) {
        if (!hasConnected) backoff = createBackoff(Infinity, signal, delays);
        hasConnected = true;
        if (isInterrupted) onResumption?.();
        isInterrupted = false;
        adoptDelay(delays, item.retryMs);
        backoff.reset();
        if (item.event !== undefined) yield item.event;
        after = item.cursor ?? after;
      }
    } catch (error) {
      if (hasConnected && error instanceof RegistryError && isTransient(error)) {
        isInterrupted = true;
        onInterruption?.(error);
      }
      await backoff.wait(error);
    }
  }
}
