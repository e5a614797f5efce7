// A proxy before the S3 server that answers wrongly, late, half or not at all when it is told to.

import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * - `status`: answers so instead of asking the server; the name is S3's, such as `SlowDown`
 * - `reset`: closes the connection before the server hears of the call, or after it has done what was asked
 * - `resetAfterSentBytes`: passes so many bytes of the request's body on, then closes the connections of both sides
 * - `cutAfterBytes`, `silentAfterBytes`: gives so many bytes of the answer's body, then closes the connection or falls
 *   silent
 * - `silent`: never answers /
 */
export type Fault =
  | { status: number; name: string }
  | { reset: 'before' | 'after' }
  | { resetAfterSentBytes: number }
  | { cutAfterBytes: number }
  | { silentAfterBytes: number }
  | 'silent';

export interface Breaking {
  /** Of `'PUT /bucket/key?partNumber=1&uploadId=…'`. */
  calls: RegExp;
  /** Which of these calls is the first to break, counted from 1; default 1. */
  nth?: number;
  /** How many do; default 1. */
  times?: number;
}

export interface S3Proxy {
  /** Such as `http://127.0.0.1:40123`. */
  url: string;
  /** Everything that was asked so far. */
  calls: string[];
  /** The headers of what was asked, in the same order. */
  headers: Record<string, unknown>[];
  /** Breaks calls from now on; what was broken before is no longer. */
  break(fault: Fault, breaking: Breaking): void;
  /** Lets everything through again. */
  heal(): void;
  /** Counts answers that are underway. */
  underway(): number;
  close(): Promise<void>;
}

/**
 * Starts a proxy on a free port before `target`, an origin. Signatures stay good: the host that the client named is
 * passed on.
 */
export async function startS3Proxy(target: string): Promise<S3Proxy> {
  const calls: string[] = [];
  const headers: Record<string, unknown>[] = [];
  let broken: { fault: Fault; calls: RegExp; wait: number; left: number } | undefined;
  let underway = 0;

  const faultOf = (call: string): Fault | undefined => {
    if (!broken?.calls.test(call) || broken.wait-- > 0 || broken.left-- <= 0) return undefined;
    return broken.fault;
  };

  const server = createServer((request, response) => {
    const call = `${request.method} ${request.url}`;
    calls.push(call);
    headers.push(request.headers);
    underway++;
    response.once('close', () => {
      underway--;
    });
    // A client that goes away, as those do that are tested here, is none of its business.
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
    underway: () => underway,
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
  // A pipe would announce a body where there is none, which Swift takes for the next request.
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
