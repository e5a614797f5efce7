// Request bodies: limits of size and time. Large ones are read only once the route starts them; after a refusal they
// are drained briefly, so that the client can read the response.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BodyInvalidError, RequestTimeoutError, UploadAbortedError } from './errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route calls startBody itself, once it has decided to accept the body. */
    lateBody?: boolean;
  }
  interface FastifyInstance {
    /** Time that a body which is not an upload may take. */
    bodyTimeoutMs: number;
  }
}

/** Default limit of parsed bodies. Parsing nested arrays takes 0.3 s per MiB. */
export const BODY_LIMIT_BYTES = 32 * 1024;
/** `bodyLimit` of routes whose bodies contain lists of patterns. */
export const LARGE_BODY_LIMIT_BYTES = 256 * 1024;

/** How long the body of a refused upload is read and discarded, so that the client can read the response. */
const LINGER_MS = 2_000;

const awaitingContinue = new WeakMap<IncomingMessage, ServerResponse>();

/**
 * Sends `100 Continue` only once a body is accepted (RFC 9110, 10.1.1), answers 408 if a parsed body takes too long,
 * and closes connections with an unread body after draining them for 2 s. A request without a body has no content type
 * either: many clients name one with every POST.
 */
export function registerBodyHandling(app: FastifyInstance, bodyTimeoutMs: number): void {
  app.decorate('bodyTimeoutMs', bodyTimeoutMs);
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    awaitingContinue.set(request, response);
    app.server.emit('request', request, response);
  });
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    if (!request.routeOptions.config.lateBody) {
      if (!announcesBody(request.raw)) delete request.headers['content-type'];
      startBody(request);
      limitBodyTime(request, bodyTimeoutMs);
    }
    done();
  });
  app.addHook('onSend', (request, reply, _payload, done) => {
    if (hasUnreadBody(request.raw)) lingerThenClose(request, reply);
    done();
  });
}

/**
 * A `preValidation` hook for routes with an optional body: rejects the JSON text `null`, which would count as no body.
 */
export function refuseNull(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  done(request.body === null ? new BodyInvalidError('The body is null: send a JSON object, or nothing.') : undefined);
}

/** After this time, whoever reads the body gets an `error` event with request_timeout. */
export function limitBodyTime({ raw }: FastifyRequest, timeoutMs: number): void {
  if (!hasUnreadBody(raw)) return;
  const timer = setTimeout(() => {
    // Without a listener, the event would be thrown.
    if (!raw.complete && raw.listenerCount('error') > 0)
      raw.emit('error', new RequestTimeoutError('The body did not arrive in time: send the request again.'));
  }, timeoutMs).unref();
  const stop = () => {
    clearTimeout(timer);
  };
  raw.once('end', stop).once('close', stop);
}

/** Sends `100 Continue` if the client waits for it. */
export function startBody(request: FastifyRequest): void {
  awaitingContinue.get(request.raw)?.writeContinue();
  awaitingContinue.delete(request.raw);
}

/**
 * Accepts bodies of any content type in this scope, unparsed; the routes have `lateBody` and check the type, once they
 * have authorised the caller.
 */
export function acceptRawBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(null);
  });
  // Meanwhile hidden from Fastify, which refuses what is no content type at all before it asks for a parser.
  const types = new WeakMap<FastifyRequest, string>();
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    const { 'content-type': type } = request.headers;
    if (type !== undefined) types.set(request, type);
    delete request.headers['content-type'];
    done();
  });
  app.addHook('preValidation', (request, _reply, done) => {
    const type = types.get(request);
    if (type !== undefined) request.headers['content-type'] = type;
    done();
  });
}

/**
 * Passes the body to `write` chunk by chunk, and resolves once everything is written. Data that arrived before the
 * client disconnected, or before the signal, is written too. Then disables the idle timeout of the connection, since
 * the response may take long.
 *
 * @throws upload_aborted if the client disconnects; the signal's reason; errors of `write`, immediately
 */
export async function readRawBody(
  request: FastifyRequest,
  write: (chunk: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { raw } = request;
  const sink = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      write(chunk).then(() => done(), done);
    },
  });
  let end: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      end = () => {
        raw.unpipe(sink);
        sink.end();
      };
      sink.once('error', (error) => {
        raw.unpipe(sink);
        reject(error);
      });
      sink.once('finish', resolve);
      raw.once('close', end);
      signal.addEventListener('abort', end);
      // If the client disconnected before this call, 'close' has been emitted already.
      if (raw.destroyed || signal.aborted) return end();
      startBody(request);
      raw.pipe(sink);
    });
  } finally {
    if (end) {
      raw.off('close', end);
      signal.removeEventListener('abort', end);
    }
    if (!raw.complete) raw.resume();
  }
  signal.throwIfAborted();
  if (!raw.complete)
    throw new UploadAbortedError('The connection closed before the whole body arrived: send it again.');
  raw.setTimeout(0);
}

function announcesBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Whether the request has a body that has not arrived completely. */
export function hasUnreadBody(request: IncomingMessage): boolean {
  return announcesBody(request) && !request.complete;
}

/**
 * Drains the body for a moment before closing. Node would close the connection right after the response, and a client
 * that is still sending could not read it.
 */
function lingerThenClose(request: FastifyRequest, reply: FastifyReply): void {
  const { socket } = request.raw;
  reply.header('connection', 'close');
  socket.destroySoon = () => {
    if (socket.writable) socket.end();
    if (awaitingContinue.has(request.raw)) return void socket.destroy();
    request.raw.resume();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    request.raw.once('end', () => socket.destroy());
    socket.once('close', () => clearTimeout(timer));
  };
}
