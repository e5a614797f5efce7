// What caches may keep of the answers of a scope.

import type { FastifyInstance } from 'fastify';

/** What a document depends on besides its address. */
const VARY = 'Cookie, Authorization, X-Api-Key, X-Secret-Key, X-Account';

/**
 * Lets every answer be kept by the caller alone, and only to ask again whether it still holds; routes may say
 * otherwise.
 */
export function registerPrivateDocuments(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers({ 'cache-control': 'private, no-cache', 'vary': VARY });
    done();
  });
}
