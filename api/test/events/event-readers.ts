// Reads events as consumers do: page after page, or as a stream.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { eventually } from '../support/eventually.ts';
import type { Headers } from '../support/people.ts';
import type { TestClient } from '../support/test-client.ts';
import { HELD_MS } from './outbox-fixture.ts';

export interface CloudEvent {
  specversion: string;
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  datacontenttype: string;
  data: Record<string, unknown>;
}

export interface EventPage {
  results: CloudEvent[];
  next: string;
}

export type Query = Record<string, string | number | readonly string[] | undefined>;
type Api = Pick<TestClient, 'api'>;

/** Pages of a test, at most. */
const MAX_PAGES = 2_000;

export function toQuery(query: Query): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value ?? []].flat().map((it) => [name, String(it)] as [string, string]),
  );
  return new URLSearchParams(pairs).toString();
}

export function getPage(client: Api, headers: Headers, query: Query = {}): Promise<Response> {
  return client.api('GET', `/events?${toQuery(query)}`, { headers });
}

export async function readPage(client: Api, headers: Headers, query: Query = {}): Promise<EventPage> {
  const response = await getPage(client, headers, query);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return JSON.parse(text) as EventPage;
}

/** Reads page after page until `next` moves on no more. */
export async function readAll(client: Api, headers: Headers, query: Query = {}): Promise<CloudEvent[]> {
  const events: CloudEvent[] = [];
  let after = String(query['after'] ?? 'oldest');
  for (let page = 0; page < MAX_PAGES; page++) {
    const { results, next } = await readPage(client, headers, { ...query, after });
    events.push(...results);
    if (next === after) return events;
    after = next;
  }
  return assert.fail('`next` moves on for ever');
}

/**
 * Returns a cursor behind all that is committed. On PostgreSQL, transactions of other tests may still hold back some
 * of it, so the cursor is that of an event which comes after everything else.
 */
export async function presentCursor(client: Pick<TestClient, 'api' | 'upload'>, headers: Headers): Promise<string> {
  const artefact = `cursor-${randomUUID()}`;
  assert.equal((await client.upload(artefact, { format: 'file', file: Buffer.from(artefact) })).status, 201);
  return eventually(async () => {
    const [event] = (await readPage(client, headers, { artefact })).results;
    assert.ok(event);
    return event.id;
  }, HELD_MS);
}

export interface Follower {
  readonly status: number;
  readonly events: CloudEvent[];
  /** All that was received. */
  text(): string;
  /** The ID that a browser would send after an interruption. */
  lastId(): string | undefined;
  /** Settles at the end of the stream, also if it was cut off. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

/** Opens a stream. If it is refused, `text` is the problem. */
export async function follow(
  client: Pick<TestClient, 'url'>,
  headers: Headers,
  query: Query = {},
  { lastEventId }: { lastEventId?: string | undefined } = {},
): Promise<Follower> {
  const abort = new AbortController();
  const response = await fetch(`${client.url}/api/v1/events/stream?${toQuery(query)}`, {
    headers: { ...headers, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) },
    signal: abort.signal,
  });
  const events: CloudEvent[] = [];
  const texts: string[] = [];
  let lastId: string | undefined;
  const receive = async () => {
    const decoder = new TextDecoder();
    let pending = '';
    for await (const part of response.body as AsyncIterable<Uint8Array>) {
      texts.push(decoder.decode(part, { stream: true }));
      pending += texts.at(-1) ?? '';
      const parsed = parseMessages(pending);
      pending = pending.slice(parsed.length);
      lastId = parsed.lastId ?? lastId;
      events.push(...parsed.events);
    }
  };
  const ended = receive().catch(() => undefined);
  return {
    status: response.status,
    events,
    text: () => texts.join(''),
    lastId: () => lastId,
    ended,
    async close() {
      abort.abort();
      await ended;
    },
  };
}

/** Reads the whole messages of a text; `length` is where they end. */
export function parseMessages(text: string): { events: CloudEvent[]; lastId: string | undefined; length: number } {
  const messages = text.split('\n\n').slice(0, -1);
  const fields = messages.map(fieldsOf);
  return {
    events: fields.flatMap(({ data }) => (data === undefined ? [] : [JSON.parse(data) as CloudEvent])),
    lastId: fields.flatMap(({ id }) => id ?? []).at(-1),
    length: messages.reduce((sum, { length }) => sum + length + 2, 0),
  };
}

/** Fields of one message; a comment has none. */
function fieldsOf(message: string): Record<string, string> {
  return Object.fromEntries(
    message
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).replace(/^ /, '')]),
  );
}
