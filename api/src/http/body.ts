// Request bodies that may be huge: read only once a route wants them, and left unread politely when it refuses.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

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

/** Tells a client that waits for it to send the body. */
export function startBody(request: FastifyRequest): void {
  awaitingContinue.get(request.raw)?.writeContinue();
  awaitingContinue.delete(request.raw);
}

function hasUnreadBody(request: IncomingMessage): boolean {
  const announced = request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
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
