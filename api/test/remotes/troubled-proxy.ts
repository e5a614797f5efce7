// A proxy between a mirror and its original that injects failures on demand, and counts requests and bytes.

import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

/** Handles a request in place of the target; returns false to forward it. */
export type Trouble = (incoming: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

export interface TroubledProxy {
  url: string;
  /** Closes the connection after that many bytes of a body. */
  cutAfterBytes: number | undefined;
  /** Stalls after that many bytes of a body, and leaves the connection open. */
  stallAfterBytes: number | undefined;
  /** Undefined: all requests are forwarded. */
  trouble: Trouble | undefined;
  /** Number of connections that it has accepted. */
  connections: number;
  /** Bytes of bodies that it has forwarded. */
  passedBytes: number;
  /** Path and headers of each request. */
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
          let allowedBytes =
            answer.statusCode === 200 || answer.statusCode === 206 ? (proxy.cutAfterBytes ?? Infinity) : Infinity;
          let receivedBytes = 0;
          answer.on('data', (chunk: Buffer) => {
            receivedBytes += chunk.length;
            if (receivedBytes > (proxy.stallAfterBytes ?? Infinity)) return void answer.pause();
            const part = chunk.subarray(0, Math.min(chunk.length, allowedBytes));
            allowedBytes -= part.length;
            proxy.passedBytes += part.length;
            if (allowedBytes > 0) {
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
