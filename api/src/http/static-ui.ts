// The web interface, as built files: one page for every address of its own, below whatever path it is reached by.

import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UiNotBuiltError } from './errors.ts';
import { routeNotFound } from './problem.ts';

export interface StaticUiOptions {
  /** What `npm run build` made: `index.html` and `assets/`, with `.br` and `.gz` beside each asset. */
  directory: string;
  /** Who may embed the pages, as CSP sources. */
  frameAncestors: string;
  /** Path of the public URL without a slash at its end. */
  basePath: string;
}

/** Names of assets carry a hash of what is in them. */
const ASSET_MAX_AGE_MS = 365 * 24 * 3_600_000;

/** Serves the pages; whatever is under `/api/`, or no page is asked for, stays a 404 problem. */
export async function registerStaticUi(
  app: FastifyInstance,
  { directory, frameAncestors, basePath }: StaticUiOptions,
): Promise<void> {
  // Scripts come from files alone. Vuetify's theme is a style element.
  const contentSecurityPolicy =
    `default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; ` +
    `img-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; ` +
    `frame-ancestors ${frameAncestors}`;

  await app.register(fastifyStatic, {
    root: join(directory, 'assets'),
    prefix: '/assets/',
    decorateReply: false,
    schemaHide: true,
    preCompressed: true,
    immutable: true,
    maxAge: ASSET_MAX_AGE_MS,
  });
  app.get('/', { schema: { hide: true } }, sendPage);
  app.get('/*', { schema: { hide: true } }, (request, reply) => {
    if (request.url.startsWith('/api/') || !request.headers.accept?.includes('text/html'))
      throw routeNotFound(request);
    return sendPage(request, reply);
  });

  async function sendPage(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    // Read each time: the files may be built anew under a server that runs.
    const page = await readPage(directory);
    const below = request.originalUrl.startsWith(`${basePath}/`) ? `${basePath}/` : '/';
    return reply
      .headers({
        'content-security-policy': contentSecurityPolicy,
        'referrer-policy': 'strict-origin-when-cross-origin',
        'cache-control': 'no-cache',
      })
      .type('text/html; charset=utf-8')
      .send(page.replace('<base href="/">', `<base href="${below}">`));
  }
}

async function readPage(directory: string): Promise<string> {
  try {
    return await readFile(join(directory, 'index.html'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UiNotBuiltError(
      'The web interface is not built yet: `npm run build` does it. The API is there, described at /api-docs.',
      { cause: error },
    );
  }
}
