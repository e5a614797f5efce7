// Requests a registry's events, and reads their stream over one connection.

import { createEventStreamParser, MAX_MESSAGE_LENGTH } from './event-stream.ts';
import type { StreamMessage } from './event-stream.ts';
import { RegistryError } from './errors.ts';
import { routeUrl } from './registry.ts';
import type { Registry } from './registry.ts';
import { send } from './request.ts';
import type { RegistryResponse } from './response.ts';
import type { BerthEvent } from './types.ts';

/** Longer URLs do not pass through all proxies. */
const MAX_URL_LENGTH = 4096;
/** The registry's limit of the parameter `artefact`. */
const MAX_ARTEFACTS = 100;
/** The registry's limit of an id there. */
const MAX_ID_LENGTH = 300;
/** An id becomes a header of the next connection. */
const CURSOR = /^[\x21-\x7e]{1,256}$/;

/** What to read, and from where. */
export interface EventQuery {
  types: readonly string[];
  /** Artefacts whose events to read; undefined for all events. */
  artefactIds: ReadonlySet<string> | undefined;
  /** Id of the last event that was received, `oldest`, or `latest`. */
  after: string | undefined;
}

/** A message of the stream. */
export interface StreamItem {
  /** Place in the events after this item, to go on from; undefined if the registry has not said yet. */
  cursor: string | undefined;
  /** How long the registry asks to wait before the next connection, in milliseconds. */
  retryMs: number | undefined;
  /** Missing in a heartbeat, and in events of artefacts that were not asked for. */
  event: BerthEvent | undefined;
}

/**
 * Connects, and yields what arrives, heartbeats included. Never returns: the end of a stream is a failure.
 *
 * @param idleMs milliseconds without even a heartbeat after which the connection counts as lost
 * @throws RegistryError `body_cut` when the connection is lost, `bad_answer` if what arrives is no stream of events or
 *   has more than 1 MiB without an end, and as `send`: 404 of an older registry, 410 `events_gone`
 */
export async function* readEvents(
  registry: Registry,
  query: EventQuery,
  idleMs: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<StreamItem, never, void> {
  const resumedAt = isWord(query.after) ? undefined : query.after;
  const response = await send({ ...registry, timeoutMs: idleMs }, eventsUrl(registry, ['events', 'stream'], query), {
    headers: { accept: 'text/event-stream', ...(resumedAt !== undefined && { 'last-event-id': resumedAt }) },
    signal,
  });
  if (response.status !== 200 || !/^text\/event-stream\b/i.test(response.headers.get('content-type') ?? '')) {
    await response.discard();
    throw response.unusable('is not a stream of events');
  }
  let cursor = resumedAt;
  for await (const message of readMessages(response)) {
    const event = message.data === undefined ? undefined : parseEvent(message.data, response);
    cursor = message.id ?? cursor;
    if (cursor !== undefined && !CURSOR.test(cursor)) throw response.unusable('has an event with an invalid id');
    const isYielded = event !== undefined && isWanted(event, query.artefactIds);
    yield { cursor, retryMs: message.retryMs, event: isYielded ? event : undefined };
  }
  throw new RegistryError('the registry ended the stream of events', { status: 0, code: 'body_cut' });
}

/** Asks for the artefacts by name only if they are few: of all events, `isWanted` selects theirs. */
export function eventsUrl(registry: Registry, route: string[], { types, artefactIds, after }: EventQuery): URL {
  const url = routeUrl(registry, route, {
    types: types.length === 0 ? undefined : types.join(','),
    // For a stream beside the header, which a proxy may drop: it would begin at the end, without a word.
    after,
  });
  if (artefactIds === undefined || artefactIds.size > MAX_ARTEFACTS) return url;
  const narrow = new URL(url);
  for (const id of artefactIds) {
    if (id.length > MAX_ID_LENGTH) return url;
    narrow.searchParams.append('artefact', id);
  }
  return narrow.href.length > MAX_URL_LENGTH ? url : narrow;
}

/** Tells whether an event is of one of these artefacts; undefined for all events. */
export function isWanted({ subject = '' }: BerthEvent, artefactIds: ReadonlySet<string> | undefined): boolean {
  return artefactIds === undefined || artefactIds.has(subject);
}

const isWord = (after: string | undefined): boolean => after === 'oldest' || after === 'latest';

async function* readMessages(response: RegistryResponse): AsyncGenerator<StreamMessage, void, void> {
  const decoder = new TextDecoder();
  const parser = createEventStreamParser();
  for await (const chunk of response.chunks()) {
    let messages: StreamMessage[];
    try {
      messages = parser.feed(decoder.decode(chunk, { stream: true }));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw response.unusable(`has more than ${MAX_MESSAGE_LENGTH} characters without an end`);
    }
    yield* messages;
  }
}

function parseEvent(data: string, response: RegistryResponse): BerthEvent {
  try {
    const event: unknown = JSON.parse(data);
    if (isEvent(event)) return event;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw response.unusable('has an event that is not a CloudEvent in JSON');
}

/** Tells whether what a registry has sent can be used as an event. */
export function isEvent(value: unknown): value is BerthEvent {
  const event = value as Partial<BerthEvent> | null;
  return typeof event?.id === 'string' && typeof event.type === 'string' && isObject(event.data);
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
