// Gives a registry fixture a stream of events, with faults: as `GET /events/stream` of a registry, event by event.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Misbehaviour, RegistryFixture } from './registry-fixture.ts';
import { sendProblem } from './registry-fixture.ts';

export interface EventStreams {
  /** A request for the stream each, in order. */
  connections: { lastEventId: string | undefined; query: URLSearchParams; isOpen: boolean }[];
  /** Records an event, and sends it to all streams. */
  emit: (subject: string, type?: string) => void;
  /** Sends this to all open streams, as it is. */
  send: (text: string) => void;
  /** Ends all open streams. */
  cut: () => void;
  /** Closes each stream of the next ones after this many bytes; Infinity for none. */
  cutNext: (...bytes: number[]) => void;
  /** Handles requests for streams instead. */
  misbehave: (misbehaviour: Misbehaviour | undefined) => void;
  /** Handles all other requests first. */
  misbehaveElsewhere: (misbehaviour: Misbehaviour | undefined) => void;
  /** Forgets all events, so that resuming is answered with 410. */
  forget: () => void;
}

/** The JSON of an event of this fixture. */
export const eventJson = (id: number, subject: string, type = 'artefact.updated'): string =>
  JSON.stringify({
    specversion: '1.0',
    id: String(id),
    source: 'https://registry.example.org',
    type: `berth.${type}`,
    subject,
    time: new Date(0).toISOString(),
    datacontenttype: 'application/json',
    data: {},
  });

/** Adds the stream; uses the fixture's `misbehave`. The first event has the id 1. */
export function addEventStreams(registry: RegistryFixture): EventStreams {
  const connections: EventStreams['connections'] = [];
  const open = new Set<ServerResponse>();
  const log: { id: number; text: string }[] = [];
  let [lastId, forgottenId, cuts] = [0, 0, [] as number[]];
  let misbehaviour: Misbehaviour | undefined;
  let elsewhere: Misbehaviour | undefined;

  function connect(request: IncomingMessage, response: ServerResponse, url: URL): void {
    const lastEventId = request.headers['last-event-id']?.toString();
    const connection = { lastEventId, query: url.searchParams, isOpen: false };
    connections.push(connection);
    if (misbehaviour?.(request, response)) return;
    const after = lastEventId ?? url.searchParams.get('after') ?? 'latest';
    const from = after === 'latest' ? lastId : after === 'oldest' ? forgottenId : Number(after);
    if (from < forgottenId || from > lastId) return sendProblem(response, 410, 'events_gone');
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    connection.isOpen = true;
    limit(response, cuts.shift() ?? Infinity);
    response.on('close', () => {
      connection.isOpen = false;
      open.delete(response);
    });
    open.add(response);
    response.write('retry: 100\n\n');
    response.write(`: heartbeat ${from}\nid: ${from}\n\n`);
    for (const { id, text } of log) if (id > from) response.write(text);
  }

  registry.misbehave((request, response) => {
    const url = new URL(request.url ?? '', registry.origin);
    if (!url.pathname.endsWith('/events/stream')) return elsewhere?.(request, response) ?? false;
    connect(request, response, url);
    return true;
  });

  const send = (text: string): void => {
    for (const response of open) response.write(text);
  };
  return {
    connections,
    emit: (subject, type) => {
      lastId += 1;
      const text = `id: ${lastId}\ndata: ${eventJson(lastId, subject, type)}\n\n`;
      log.push({ id: lastId, text });
      send(text);
    },
    send,
    cut: () => {
      for (const response of open) response.destroy();
    },
    cutNext: (...bytes) => {
      cuts = bytes;
    },
    misbehave: (next) => {
      misbehaviour = next;
    },
    misbehaveElsewhere: (next) => {
      elsewhere = next;
    },
    forget: () => {
      log.length = 0;
      lastId += 1;
      forgottenId = lastId;
    },
  };
}

/** Destroys the response after this many bytes of its body. */
function limit(response: ServerResponse, bytes: number): void {
  let left = bytes;
  const write = response.write.bind(response) as (chunk: Uint8Array, callback?: () => void) => boolean;
  response.write = ((text: string) => {
    const part = Buffer.from(text).subarray(0, left);
    left -= part.length;
    if (left > 0) return write(part);
    return write(part, () => response.destroy());
  }) as typeof response.write;
  if (bytes === 0) response.flushHeaders();
  if (bytes === 0) setImmediate(() => response.destroy());
}
