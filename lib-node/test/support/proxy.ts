// A proxy in front of a real registry or its storage, which records requests and can cut responses.

import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { RecordedRequest } from './registry-fixture.ts';

export interface Proxy {
  url: string;
  requests: Omit<RecordedRequest, 'body'>[];
  /**
   * For the next responses to paths that end with `suffix`, without query: closes the connection after this many bytes
   * of the body, one number per response.
   */
  cut: (suffix: string, ...bytes: number[]) => void;
}

/** Starts a proxy in front of `target`, stopped after the test. */
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
    // OpenStack Swift sends stray bytes after its response to a HEAD, and waits for a body that the headers announce.
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
    const part = chunk.subarray(0, left);
    left -= part.length;
    await new Promise((resolve) => {
      response.write(part, resolve);
    });
    if (left === 0) {
      response.destroy();
      return;
    }
  }
  response.end();
}
