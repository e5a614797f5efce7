// Serves the built web interface: one page for all of its URLs, below the path of PUBLIC_URL.

import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UiNotBuiltError } from './errors.ts';
import { routeNotFound } from './problem.ts';

export interface StaticUiOptions {
  /** Output of `npm run build`: `index.html` and `assets/`, with `.br` and `.gz` beside each asset. */
  directory: string;
  /** Sites that may embed the pages, as CSP sources. */
  frameAncestors: string;
  /** Path of PUBLIC_URL without a trailing slash. */
  basePath: string;
}

/** Asset names contain a hash of the content. */
const ASSET_MAX_AGE_MS = 365 * 24 * 3_600_000;
/** Elements of `ui/index.html` whose values are known here only. */
const BASE = '<base href="/">';
const ANCESTORS = `<meta name="frame-ancestors" content="'none'">`;

/** Serves the page for every other URL; URLs below `/api/`, and requests that do not accept HTML, get 404. */
export async function registerStaticUi(
  app: FastifyInstance,
  { directory, frameAncestors, basePath }: StaticUiOptions,
): Promise<void> {
  // No inline scripts. 'unsafe-inline' styles: Vuetify inserts its theme as a style element.
  const contentSecurityPolicy =
    `default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; ` +
    `img-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; ` +
    `frame-ancestors ${frameAncestors}`;

  // Also for requests without the path, whether a proxy has cut it off or they are direct: cookies have this path.
  const base = `<base href="${toAttribute(basePath)}/">`;
  const ancestors = `<meta name="frame-ancestors" content="${toAttribute(frameAncestors)}">`;

  await app.register(fastifyStatic, {
    root: join(directory, 'assets'),
    prefix: '/assets/',
    decorateReply: false,
    schemaHide: true,
    preCompressed: true,
    immutable: true,
    maxAge: ASSET_MAX_AGE_MS,
  });
  app.get('/', { schema: { hide: true } }, (_request, reply) => sendPage(reply));
  app.get('/*', { schema: { hide: true } }, (request, reply) => {
    if (request.url.startsWith('/api/') || !request.headers.accept?.includes('text/html'))
      throw routeNotFound(request);
    return sendPage(reply);
  });

  async function sendPage(reply: FastifyReply): Promise<FastifyReply> {
    // Read each time: the interface may be rebuilt while the server runs.
    const page = await readPage(directory);
    return reply
      .headers({
        'content-security-policy': contentSecurityPolicy,
        'referrer-policy': 'strict-origin-when-cross-origin',
        'cache-control': 'no-cache',
      })
      .type('text/html; charset=utf-8')
      .send(page.replace(BASE, () => base).replace(ANCESTORS, () => ancestors));
  }
}

async function readPage(directory: string): Promise<string> {
  try {
    return await readFile(join(directory, 'index.html'), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UiNotBuiltError('The web interface is not built: run `npm run build`. The API works; see /api-docs.', {
      cause: error,
    });
  }
}

function toAttribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
