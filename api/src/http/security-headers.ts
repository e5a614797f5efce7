// What browsers are told on every answer, so that nothing of ours runs, frames or leaks where it should not.

import type { FastifyInstance } from 'fastify';

const HSTS_SECONDS = 31_536_000;
/**
 * Answers of the API are no pages: whoever opens one as such gets nothing that runs. A route that sends images says
 * its own.
 */
const API_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** @param secure whether users reach the server under https: browsers never try without it again then */
export function registerSecurityHeaders(app: FastifyInstance, { secure }: { secure: boolean }): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-content-type-options', 'nosniff');
    if (secure) reply.header('strict-transport-security', `max-age=${HSTS_SECONDS}`);
    if (request.url.startsWith('/api/'))
      reply.header('content-security-policy', API_POLICY).header('referrer-policy', 'no-referrer');
    done();
  });
}
