// Security headers of every response.

import type { FastifyInstance } from 'fastify';

const HSTS_SECONDS = 31_536_000;
/** API responses are not pages: a browser that opens one must run nothing. Routes that send images override this. */
const API_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** @param secure whether users reach the server by https; browsers then never use http again (HSTS) */
export function registerSecurityHeaders(app: FastifyInstance, { secure }: { secure: boolean }): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff');
    if (secure) reply.header('strict-transport-security', `max-age=${HSTS_SECONDS}`);
    if (request.url.startsWith('/api/'))
      reply.header('content-security-policy', API_POLICY).header('referrer-policy', 'no-referrer');
    done();
  });
}
