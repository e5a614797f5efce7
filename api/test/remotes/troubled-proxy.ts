// A network between a mirror and its original that goes wrong on demand, and counts what it lets through.

import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** What happens to a request; undefined: it passes. */
export type Trouble = (incoming: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

export interface TroubledProxy {
  url: string;
  /** Cuts each body after so many bytes. */
  cutAfterBytes: number | undefined;
  /** Falls silent in each body after so many bytes, and leaves the connection open. */
  stallAfterBytes: number | undefined;
  /** Takes a request over when it returns true. */
  trouble: Trouble | undefined;
  /** Connections that were made to it. */
  connections: number;
  /** Bytes of bodies that went through. */
  passedBytes: number;
  /** Method and path of each request, with its headers. */
  requests: { path: string; headers: IncomingMessage['headers'] }[];
  close(): Promise<void>;
}

export async function startTroubledProxy(targetUrl: string): Promise<TroubledProxy> {
  const target = new URL(targetUrl);
  const server = createServer((incoming, response) => {
    void (async () => {
      proxy.requests.push({ path: incoming.url ?? '', headers: { ...incoming.headers } });
      if (await proxy.trouble?.(incoming, response)) return;
      const outgoing = request(
        {
          host: target.hostname,
          port: target.port,
          path: incoming.url,
          method: incoming.method,
          headers: incoming.headers,
        },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          let left =
            answer.statusCode === 200 || answer.statusCode === 206 ? (proxy.cutAfterBytes ?? Infinity) : Infinity;
          let spoken = 0;
          answer.on('data', (chunk: Buffer) => {
            spoken += chunk.length;
            if (spoken > (proxy.stallAfterBytes ?? Infinity)) return void answer.pause();
            const part = chunk.subarray(0, Math.min(chunk.length, left));
            left -= part.length;
            proxy.passedBytes += part.length;
            if (left > 0) {
              if (!response.write(part)) {
                answer.pause();
                response.once('drain', () => answer.resume());
              }
              return;
            }
            answer.destroy();
            response.write(part, () => {
              response.destroy();
            });
          });
          answer.on('end', () => {
            response.end();
          });
          answer.on('error', () => {
            response.destroy();
          });
        },
      );
      outgoing.on('error', () => {
        response.destroy();
      });
      response.on('close', () => {
        outgoing.destroy();
      });
      incoming.pipe(outgoing);
    })();
  });
  server.on('connection', () => {
    proxy.connections++;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: TroubledProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfterBytes: undefined,
    stallAfterBytes: undefined,
    trouble: undefined,
    connections: 0,
    passedBytes: 0,
    requests: [],
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}
