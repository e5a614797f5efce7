// Default cache headers of API responses.

import type { FastifyInstance } from 'fastify';

/** The request headers that a response depends on. */
const VARY = 'Cookie, Authorization, X-Api-Key, X-Secret-Key, X-Account';

/** Lets only the caller's own cache store responses, and revalidate them before each use; routes may override this. */
export function registerPrivateDocuments(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers({ 'cache-control': 'private, no-cache', 'vary': VARY });
    done();
  });
}
