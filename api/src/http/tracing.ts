// Request IDs and traces (https://www.w3.org/TR/trace-context/) that a trusted proxy has begun, so that its log and
// this one can be searched for the same values.

import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import { parseTraceparent, withTrace, type Trace } from '../tracing/index.ts';
import type { ProxyCheck } from './trusted-proxies.ts';

/** What proxies generate: UUIDs, hexadecimal, ULIDs, `host-counter`. Nothing that a log or a header must escape. */
const REQUEST_ID = /^[\w.:-]{8,128}$/;
/** Returns the proxy's ID of a request, or a new one if it has none that is well-formed. */
export function requestIdOf({ headers, socket }: IncomingMessage, isTrusted: ProxyCheck): string {
  const id = headers['x-request-id'];
  return typeof id === 'string' && REQUEST_ID.test(id) && isTrusted(socket.remoteAddress) ? id : randomUUID();
}

/** Returns the trace that a request belongs to. */
export function traceOf({ headers, socket }: IncomingMessage, isTrusted: ProxyCheck): Trace | undefined {
  const { traceparent } = headers;
  return typeof traceparent === 'string' && isTrusted(socket.remoteAddress)
    ? parseTraceparent(traceparent)
    : undefined;
}

/** Lets requests to other servers, made for a request, name its trace. */
export function continueTraces(app: FastifyInstance, isTrusted: ProxyCheck): void {
  const enter: onRequestHookHandler = ({ raw }, _reply, done) => {
    const trace = traceOf(raw, isTrusted);
    if (trace) withTrace(trace, done);
    else done();
  };
  app.addHook('onRequest', enter);
  // Again, since the context of a request ends when its body is read.
  app.addHook('preValidation', enter);
}
