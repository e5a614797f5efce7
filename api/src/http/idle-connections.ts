// Closes idle connections that wait for the client, but not those that wait for a response.

import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Keeps a connection open while its request has arrived completely and its response has not started: flushing a huge
 * upload to disk, or completing it on S3, may take minutes without traffic.
 */
export function waitForSlowHandlers(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    // With a listener, node:http does not close the connection itself
    // (https://nodejs.org/api/http.html#event-timeout).
    reply.raw.on('timeout', (socket: Socket) => {
      const isResponsePending = request.raw.complete && !reply.raw.headersSent;
      // Setting the timeout restarts the timer.
      if (isResponsePending) socket.setTimeout(socket.timeout ?? 0);
      else socket.destroy();
    });
    done();
  });
}

/**
 * During shutdown, closes each connection after its last response: keep-alive would delay the shutdown. So would
 * connections on which no request has begun, which browsers and load balancers open ahead: node:http itself closes
 * only those between two requests.
 */
export function closeConnectionsOnShutdown(app: FastifyInstance): void {
  const connections = new Set<Socket>();
  let stopping = false;
  app.server.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  app.addHook('preClose', (done) => {
    stopping = true;
    for (const socket of connections) if (socket.bytesRead === 0) socket.destroy();
    done();
  });
  app.addHook('onResponse', (_request, _reply, done) => {
    if (stopping)
      setImmediate(() => {
        app.server.closeIdleConnections();
      });
    done();
  });
}
