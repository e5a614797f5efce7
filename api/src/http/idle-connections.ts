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
