// Request bodies that may be huge: read only once a route wants them, and left unread politely when it refuses.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Writable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BodyInvalidError, UploadAbortedError } from './errors.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route itself says when the body may come (startBody), after it has decided that it wants it. */
    lateBody?: boolean;
  }
}

/** How long the body of a refused upload is read and dropped, so that the client gets to see the answer. */
const LINGER_MS = 2_000;

const awaitingContinue = new WeakMap<IncomingMessage, ServerResponse>();

/**
 * Answers `Expect: 100-continue` only when a body is wanted (RFC 9110, 10.1.1), and closes connections whose
 * body was refused half-way after draining them for a moment.
 */
export function registerBodyHandling(app: FastifyInstance): void {
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    awaitingContinue.set(request, response);
    app.server.emit('request', request, response);
  });
  app.addHook('preParsing', (request, _reply, _payload, done) => {
    if (!request.routeOptions.config.lateBody) startBody(request);
    done();
  });
  app.addHook('onSend', (request, reply, _payload, done) => {
    if (hasUnreadBody(request.raw)) lingerThenClose(request, reply);
    done();
  });
}

/**
 * Refuses the JSON text `null`, which looks as if nothing was sent: for routes whose body may be left out, as their
 * `preValidation`.
 */
export function refuseNull(request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  done(request.body === null ? new BodyInvalidError('The body is null: send a JSON object, or nothing.') : undefined);
}

/** Tells a client that waits for it to send the body. */
export function startBody(request: FastifyRequest): void {
  awaitingContinue.get(request.raw)?.writeContinue();
  awaitingContinue.delete(request.raw);
}

/** Lets routes of this scope, which have `lateBody`, take bodies of any type; each says itself which one it means. */
export function acceptRawBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(null);
  });
}

/**
 * Hands the body to `write`, chunk by chunk as they arrive, and resolves when all of it is written. What has arrived
 * before the client left, or before the signal, is written too. From then on the connection may be silent for as long
 * as the answer takes.
 *
 * @throws upload_aborted when the client leaves; the signal's reason; whatever `write` throws, at once /
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
      // The client may have left while the caller was still looking things up: then 'close' has been told already.
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
    throw new UploadAbortedError('The connection closed before the whole body had arrived: send it again.');
  raw.setTimeout(0);
}

function hasUnreadBody(request: IncomingMessage): boolean {
  const announced =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  return announced && !request.complete;
}

/** Node would cut the connection as soon as the answer is written, and a client still sending would never read it. */
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
