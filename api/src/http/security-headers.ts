// Security headers of every response, also of those that no route answers.

import type { FastifyInstance, FastifyReply } from 'fastify';

const HSTS_SECONDS = 31_536_000;
/** Only pages and images need more, and override this: a browser that opens anything else must run nothing. */
const API_POLICY = "default-src 'none'; frame-ancestors 'none'";

declare module 'fastify' {
  interface FastifyInstance {
    /** The security headers of a response that is not a page. */
    securityHeaders: Record<string, string>;
  }
}

/**
 * Returns the headers of a response that is not a page.
 * @param secure whether users reach the server by https; browsers then never use http again (HSTS)
 */
export function securityHeadersOf(secure: boolean): Record<string, string> {
  return {
    'x-content-type-options': 'nosniff',
    'content-security-policy': API_POLICY,
    'referrer-policy': 'no-referrer',
    ...(secure && { 'strict-transport-security': `max-age=${HSTS_SECONDS}` }),
  };
}

/** Sets the headers before anything else can answer. */
export function registerSecurityHeaders(app: FastifyInstance, { secure }: { secure: boolean }): void {
  const headers = securityHeadersOf(secure);
  app.decorate('securityHeaders', headers);
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
}

/** Sets the headers on a response for which no hook has run. */
export function addSecurityHeaders(reply: FastifyReply): FastifyReply {
  return reply.headers(reply.server.securityHeaders);
}
