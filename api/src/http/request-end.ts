// Observes the end of every request, also of one whose connection closes before its answer is complete: for the log
// and for the metrics.

import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasUnreadBody } from './body.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Calls back at the end of each request. */
    onRequestEnd: (listener: (end: RequestEnd) => void) => void;
    /** Number of requests whose answer is not complete. */
    requestsInProgress: () => number;
    /** Number of requests whose body is arriving. */
    uploadsInProgress: () => number;
  }
  interface FastifyRequest {
    /** Whoever sent the request, for the log. Never contains a secret. */
    loggedActor: { kind: string; id?: string } | null;
    /** The answer has no end of its own, such as an event stream: the client ends it by closing the connection. */
    endsWithConnection: boolean;
  }
}

export interface RequestEnd {
  request: FastifyRequest;
  reply: FastifyReply;
  /** 499 if the connection closed before the answer was complete, unless the server itself has failed. */
  status: number;
  durationMs: number;
  /** Address of the client. */
  ip: string;
  /** Bytes that the connection received and sent for it, headers included. */
  bytesIn: number;
  bytesOut: number;
  /** What the connection was doing when it closed too early: receive the body, wait for the answer, send it. */
  abortedDuring?: 'upload' | 'wait' | 'download';
}

/** What nginx calls it: the client has closed the request. */
const CLIENT_CLOSED_REQUEST = 499;

/** Register it before all other hooks. */
export function observeRequestEnds(app: FastifyInstance): void {
  const listeners: ((end: RequestEnd) => void)[] = [];
  const counted = new WeakMap<Socket, { read: number; written: number }>();
  const inProgress = new Set<FastifyRequest>();
  app.decorate('onRequestEnd', (listener: (end: RequestEnd) => void) => {
    listeners.push(listener);
  });
  app.decorate('requestsInProgress', () => inProgress.size);
  app.decorate('uploadsInProgress', () => [...inProgress].filter(({ raw }) => hasUnreadBody(raw)).length);
  app.decorateRequest('loggedActor', null);
  app.decorateRequest('endsWithConnection', false);

  /** The counters of a socket include the earlier requests of a keep-alive connection. */
  function countBytes(socket: Socket): Pick<RequestEnd, 'bytesIn' | 'bytesOut'> {
    const before = counted.get(socket);
    const now = { read: socket.bytesRead, written: socket.bytesWritten };
    counted.set(socket, now);
    return { bytesIn: now.read - (before?.read ?? 0), bytesOut: now.written - (before?.written ?? 0) };
  }

  function end(request: FastifyRequest, reply: FastifyReply, ip: string): void {
    if (!inProgress.delete(request)) return;
    const { statusCode, headersSent, writableFinished } = reply.raw;
    const isAborted = !writableFinished && !request.endsWithConnection;
    const result: RequestEnd = {
      request,
      reply,
      status: isAborted && statusCode < 500 ? CLIENT_CLOSED_REQUEST : statusCode,
      durationMs: reply.elapsedTime,
      ip,
      ...countBytes(request.raw.socket),
    };
    if (isAborted) result.abortedDuring = hasUnreadBody(request.raw) ? 'upload' : headersSent ? 'download' : 'wait';
    for (const listener of listeners) listener(result);
  }

  app.addHook('onRequest', (request, reply, done) => {
    inProgress.add(request);
    // Once the connection has closed, it has no address any more.
    const { ip } = request;
    const onEnd = () => {
      end(request, reply, ip);
    };
    reply.raw.once('finish', onEnd).once('close', onEnd);
    done();
  });
}

/** Logs one line per request. */
export function logRequest({ request, reply, abortedDuring, ...end }: RequestEnd): void {
  const { loggedActor, routeOptions } = request;
  reply.log.info(
    {
      method: request.method,
      path: request.url.split('?', 1)[0],
      ...(routeOptions.url !== undefined && { route: routeOptions.url }),
      status: end.status,
      durationMs: Math.round(end.durationMs * 10) / 10,
      ip: end.ip,
      bytesIn: end.bytesIn,
      bytesOut: end.bytesOut,
      ...(loggedActor && { actor: loggedActor }),
      ...(abortedDuring && { aborted: true, abortedDuring }),
    },
    'request',
  );
}
