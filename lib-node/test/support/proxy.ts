// A proxy before a real registry, or the storage of one, which sees the requests and breaks answers off.

import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { SeenRequest } from './registry-fixture.ts';

export interface Proxy {
  url: string;
  requests: Omit<SeenRequest, 'body'>[];
  /**
   * Closes the connection of each of the next answers to paths that end so, query left out, after that many bytes of
   * the body.
   */
  cut: (suffix: string, ...bytes: number[]) => void;
}

/** Starts a proxy before `target` that ends with the test. */
export async function startProxy(t: TestContext, target: string): Promise<Proxy> {
  const requests: Proxy['requests'] = [];
  let cuts: { suffix: string; bytes: number[] } = { suffix: '', bytes: [] };

  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    requests.push({ method, url, headers });
    const limit = url.split('?')[0]?.endsWith(cuts.suffix) ? cuts.bytes.shift() : undefined;
    const onward = httpRequest(target + url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      void relay(answer, response, limit ?? Infinity);
    });
    // OpenStack Swift sends what belongs to no body behind its answer to a HEAD, and takes an announced body for one.
    onward.on('error', () => {
      if (!response.headersSent) response.destroy();
    });
    if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) onward.end();
    else request.pipe(onward);
  });

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    cut: (suffix, ...bytes) => {
      cuts = { suffix, bytes };
    },
  };
}

async function relay(answer: IncomingMessage, response: ServerResponse, limit: number): Promise<void> {
  let left = limit;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    const piece = chunk.subarray(0, left);
    left -= piece.length;
    await new Promise((resolve) => {
      response.write(piece, resolve);
    });
    if (left === 0) {
      response.destroy();
      return;
    }
  }
  response.end();
}
