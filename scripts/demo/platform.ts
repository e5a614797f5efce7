// A stand-in for the platform that runs the sample plug-in, with the part of its API that the sample uses.

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export interface Platform {
  url: string;
  /** Lines that plug-ins wrote, by `<dataset>/<line>`. */
  lines: Map<string, unknown>;
  close(): void;
}

/** Starts the stand-in on a free port. */
export async function startPlatform(): Promise<Platform> {
  const lines = new Map<string, unknown>();
  const answer = async (request: IncomingMessage): Promise<[status: number, body: unknown]> => {
    const [, dataset, line] = /^\/api\/v1\/datasets(?:\/([^/]+)\/lines\/([^/]+))?$/.exec(request.url ?? '') ?? [];
    const body = await json(request);
    if (request.method === 'POST') return [201, body];
    if (request.method === 'PUT' && dataset !== undefined && line !== undefined) {
      lines.set(`${dataset}/${line}`, body);
      return [200, body];
    }
    return [404, { message: `${request.method} ${request.url} is not in this stand-in` }];
  };
  const server = createServer((request, response) => {
    const reply = ([status, body]: [number, unknown]) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    answer(request).then(reply, (error: unknown) => {
      reply([400, { message: String(error) }]);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lines,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
