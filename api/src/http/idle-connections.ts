// Which connections on which nothing moves are closed: those that wait for the client, not those that wait for us.

import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';

/**
 * Keeps a connection open while its request has arrived whole and its answer has not begun: the last flush of a huge
 * upload to the disk, or its completion on S3, may take minutes in which no byte moves. /
 */
export function waitForSlowHandlers(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    // With a listener here, node:http leaves it to us to close the connection
    // (https://nodejs.org/api/http.html#event-timeout).
    reply.raw.on('timeout', (socket: Socket) => {
      const isOurTurn = request.raw.complete && !reply.raw.headersSent;
      // The timer starts again only when it is set.
      if (isOurTurn) socket.setTimeout(socket.timeout ?? 0);
      else socket.destroy();
    });
    done();
  });
}
