// A registry whose events are hostile, or that is too old to have any; and events by the thousand.

import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HOSTILE } from './hostile-registry.ts';

export interface EventServer {
  url: string;
  /** Answers the requests for a page of events and for the stream. */
  answer: (path: string, query: URLSearchParams, response: ServerResponse) => void;
  stop(): void;
}

export async function startEventServer(answer: EventServer['answer']): Promise<EventServer> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://localhost');
    running.answer(pathname.replace('/api/v1', ''), searchParams, response);
  });
  const running: EventServer = {
    url: '',
    answer,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  running.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return running;
}

/** An event of which every text is hostile. */
export function hostileEvent(type: string, data: Record<string, unknown> = {}): Record<string, unknown> {
  return { specversion: HOSTILE, id: 'hostile', source: HOSTILE, type, subject: HOSTILE, time: HOSTILE, data };
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const type = status < 400 ? 'application/json' : 'application/problem+json';
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body));
}

/** Sends events as a stream that stays open. */
export function sendStream(response: ServerResponse, events: readonly unknown[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write('retry: 100\n\nid: begin\n\n');
  for (const event of events) response.write(`id: hostile\ndata: ${JSON.stringify(event)}\n\n`);
}
