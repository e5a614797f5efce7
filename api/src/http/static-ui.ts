// The web interface, as built files.

import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** Serves the files of a directory at `/`. @param frameAncestors who may embed the pages, as CSP sources */
export async function registerStaticUi(app: FastifyInstance, { directory, frameAncestors }: { directory: string; frameAncestors: string }): Promise<void> {
  const contentSecurityPolicy = `default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors ${frameAncestors}`;
  await app.register(fastifyStatic, {
    root: directory,
    wildcard: false,
    decorateReply: false,
    schemaHide: true,
    setHeaders: (reply) => {
      reply.header('content-security-policy', contentSecurityPolicy);
      reply.header('x-content-type-options', 'nosniff');
      reply.header('referrer-policy', 'strict-origin-when-cross-origin');
    },
  });
}
