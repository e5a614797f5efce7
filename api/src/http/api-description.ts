// OpenAPI 3.1 document generated from the route schemas, and a page to browse it.

import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import { Type, type TSchema } from 'typebox';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The multipart form of a route that streams its body; only documented, not validated against this schema. */
    form?: TSchema;
  }
}

export interface ApiDescriptionOptions {
  title: string;
  version: string;
  description: string;
  publicUrl: string;
  /** Sites that may embed the page, as CSP sources. */
  frameAncestors: string;
}

const PAGE = '/api-docs';

/** A file field of a documented form. */
export const FormFileSchema = Type.Unsafe<never>({ type: 'string', format: 'binary' });

/** Serves the page at `/api-docs`. Register it before the routes that it documents. */
export async function registerApiDescription(
  app: FastifyInstance,
  { title, version, description, publicUrl, frameAncestors }: ApiDescriptionOptions,
): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title, version, description, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: publicUrl }],
      components: {
        securitySchemes: {
          apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
          bearer: { type: 'http', scheme: 'bearer' },
          session: { type: 'apiKey', in: 'cookie', name: 'better-auth.session_token' },
          internalSecret: { type: 'apiKey', in: 'header', name: 'x-secret-key' },
        },
      },
      security: [{}, { apiKey: [] }, { bearer: [] }, { session: [] }, { internalSecret: [] }],
    },
    hideUntagged: true,
    transform: ({ schema, url, route }) => {
      const form = route.config?.form;
      return { url, schema: form ? { ...schema, body: form } : schema };
    },
  });
  await app.register(swaggerUi, {
    routePrefix: PAGE,
    uiConfig: { docExpansion: 'list', deepLinking: true },
    theme: {
      title: `${title} API`,
      css: [{ filename: 'berth.css', content: '.swagger-ui .topbar { display: none }' }],
    },
    // Everything comes from this server. 'unsafe-inline' styles: the page inserts its icons and layout as such.
    staticCSP:
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
      `connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ${frameAncestors}`,
    uiHooks: { onRequest: redirectToPage },
    // The page calls the server that it came from, at whatever address. This URL is relative to that of the document.
    transformSpecification: (document) => ({ ...document, servers: [{ url: '..', description: 'This registry' }] }),
    transformSpecificationClone: false,
  });
}

/** Relative URLs in the page require the trailing slash; these redirects are relative too, to work below any path. */
const redirectToPage: onRequestHookHandler = ({ url }, reply, done) => {
  const path = url.split('?', 1)[0] ?? '';
  if (path === PAGE) void reply.redirect(`.${PAGE}/`);
  else if (path === `${PAGE}/` && url !== path) void reply.redirect('./');
  else if (path === `${PAGE}/static/index.html`) void reply.redirect('../');
  else done();
};

/** Serves the OpenAPI document at `openapi.json` below the app's prefix. */
export function registerOpenApiRoute(app: FastifyInstance): void {
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}
