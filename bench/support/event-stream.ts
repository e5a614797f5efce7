// Reads GET /api/v1/events/stream with node:http, which costs the shared cores less than fetch.

import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

/** A CloudEvent of the registry, as far as benchmarks read it. */
export interface StreamedEvent {
  id: string;
  type: string;
  subject: string;
  data: Record<string, unknown>;
}

export interface StreamOptions {
  headers: Record<string, string>;
  /** ID of an event, or `oldest`. Default: from now. */
  after?: string | undefined;
  /** Called with each place from which to resume, after its event. */
  onCursor?: (id: string) => void;
  onEvent: (event: StreamedEvent) => void;
}

export interface OpenStream {
  /** Resolves at the end of the connection, whatever ended it. */
  ended: Promise<void>;
  close(): void;
}

/** Opens a stream, and resolves once its place is known. @throws Error if the status is not 200 */
export async function openEventStream(
  { url }: { url: string },
  { headers, after, onCursor, onEvent }: StreamOptions,
): Promise<OpenStream> {
  const sent = request(`${url}/api/v1/events/stream`, {
    agent: false,
    headers: { ...headers, ...(after !== undefined && { 'last-event-id': after }) },
  }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  if (response.statusCode !== 200)
    throw new Error(`the stream got status ${response.statusCode}: ${await text(response)}`);
  const placed = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  let rest = '';
  let isClosed = false;
  // A killed server ends it with an error.
  for (const stream of [sent, response]) stream.on('error', () => undefined);
  response.once('close', () => {
    isClosed = true;
    ended.resolve();
    placed.resolve();
  });
  response.setEncoding('utf8').on('data', (chunk: string) => {
    if (isClosed) return;
    const messages = (rest + chunk).split('\n\n');
    rest = messages.pop() ?? '';
    for (const message of messages) {
      const [, id] = /^id: (.*)$/m.exec(message) ?? [];
      const [, data] = /^data: (.*)$/m.exec(message) ?? [];
      if (data !== undefined) onEvent(JSON.parse(data) as StreamedEvent);
      if (id === undefined) continue;
      onCursor?.(id);
      placed.resolve();
    }
  });
  await placed.promise;
  return {
    ended: ended.promise,
    close() {
      isClosed = true;
      sent.destroy();
    },
  };
}
