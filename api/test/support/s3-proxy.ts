// Fault injection for S3: a proxy in front of the S3 server that can fail, truncate or withhold responses.

import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * - `status`: responds with this status and S3 error name, such as `SlowDown`, without calling the server
 * - `reset`: resets the connection before or after the server executes the call
 * - `resetAfterSentBytes`: forwards this many bytes of the request body, then closes both connections
 * - `cutAfterBytes`, `silentAfterBytes`: forwards this many bytes of the response body, then resets the connection or
 *   stops sending
 * - `silent`: never responds
 */
export type Fault =
  | { status: number; name: string }
  | { reset: 'before' | 'after' }
  | { resetAfterSentBytes: number }
  | { cutAfterBytes: number }
  | { silentAfterBytes: number }
  | 'silent';

export interface Breaking {
  /** Matches the calls to break, such as `'PUT /bucket/key?partNumber=1&uploadId=…'`. */
  calls: Pick<RegExp, 'test'>;
  /** The first matching call to break, from 1; default 1. */
  nth?: number;
  /** Number of calls to break; default 1. */
  times?: number;
}

export interface S3Proxy {
  /** Such as `http://127.0.0.1:40123`. */
  url: string;
  /** All calls so far. */
  calls: string[];
  /** The request headers of the calls, in the same order. */
  headers: Record<string, unknown>[];
  /** Breaks matching calls from now on; replaces an earlier fault. */
  break(fault: Fault, breaking: Breaking): void;
  /** Removes the fault. */
  heal(): void;
  /** Number of calls in progress. */
  pendingCalls(): number;
  close(): Promise<void>;
}

/**
 * Starts a proxy on a free port in front of `target`, an origin. Signatures stay valid, since the client's host header
 * is forwarded.
 */
export async function startS3Proxy(target: string): Promise<S3Proxy> {
  const calls: string[] = [];
  const headers: Record<string, unknown>[] = [];
  let broken: { fault: Fault; calls: Breaking['calls']; wait: number; left: number } | undefined;
  let pendingCalls = 0;

  const faultOf = (call: string): Fault | undefined => {
    if (!broken?.calls.test(call) || broken.wait-- > 0 || broken.left-- <= 0) return undefined;
    return broken.fault;
  };

  const server = createServer((request, response) => {
    const call = `${request.method} ${request.url}`;
    calls.push(call);
    headers.push(request.headers);
    pendingCalls++;
    response.once('close', () => {
      pendingCalls--;
    });
    // Clients under test may disconnect at any time.
    answer(target, request, response, faultOf(call)).catch(() => {
      response.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    headers,
    break(fault, { calls: which, nth = 1, times = 1 }) {
      broken = { fault, calls: which, wait: nth - 1, left: times };
    },
    heal() {
      broken = undefined;
    },
    pendingCalls: () => pendingCalls,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  if (fault === 'silent') return;
  if (fault && 'reset' in fault && fault.reset === 'before') {
    request.socket.resetAndDestroy();
    return;
  }
  if (fault && 'status' in fault) {
    for await (const chunk of request) void chunk;
    response
      .writeHead(fault.status, { 'content-type': 'application/xml' })
      .end(`<?xml version="1.0"?><Error><Code>${fault.name}</Code><Message>${fault.name}</Message></Error>`);
    return;
  }
  const onward = httpRequest(target + (request.url ?? ''), {
    method: request.method,
    headers: request.headers,
    agent: false,
  });
  let isAnswered = false;
  // Swift ends the answer to a HEAD with a chunk that belongs to no body: an error, but after the answer.
  onward.on('error', () => {
    if (!isAnswered) response.destroy();
  });
  onward.on('response', () => {
    isAnswered = true;
  });
  response.on('close', () => {
    onward.destroy();
  });
  if (fault && 'resetAfterSentBytes' in fault) return passCut(request, onward, fault.resetAfterSentBytes);
  // Without a body a pipe would still send a chunked one, which Swift would take for the next request.
  if (request.headers['content-length'] === undefined && request.headers['transfer-encoding'] === undefined)
    onward.end();
  else request.pipe(onward);
  const [reply] = (await once(onward, 'response').catch(() => [])) as [IncomingMessage?];
  if (!reply) return;
  if (fault && 'reset' in fault) {
    reply.resume();
    request.socket.resetAndDestroy();
    return;
  }
  response.writeHead(reply.statusCode ?? 502, reply.headers);
  const limit =
    fault && 'cutAfterBytes' in fault
      ? fault.cutAfterBytes
      : fault && 'silentAfterBytes' in fault
        ? fault.silentAfterBytes
        : undefined;
  if (limit === undefined) {
    reply
      .on('error', () => {
        response.destroy();
      })
      .pipe(response);
    return;
  }
  let left = limit;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    const piece = chunk.subarray(0, left);
    left -= piece.length;
    await new Promise((resolve) => {
      response.write(piece, resolve);
    });
    if (left === 0) break;
  }
  if (fault && 'cutAfterBytes' in fault) request.socket.resetAndDestroy();
}

async function passCut(request: IncomingMessage, onward: ClientRequest, sizeBytes: number): Promise<void> {
  let left = sizeBytes;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    const piece = chunk.subarray(0, left);
    left -= piece.length;
    await new Promise((resolve) => {
      onward.write(piece, resolve);
    });
    if (left === 0) break;
  }
  onward.destroy();
  request.socket.resetAndDestroy();
}
