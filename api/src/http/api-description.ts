// OpenAPI 3.1 document generated from the route schemas, and a page to browse it.

import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
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
}

/** A file field of a documented form. */
export const FormFileSchema = Type.Unsafe<never>({ type: 'string', format: 'binary' });

/** Serves the page at `/api-docs`. Register it before the routes that it documents. */
export async function registerApiDescription(
  app: FastifyInstance,
  { title, version, description, publicUrl }: ApiDescriptionOptions,
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
    routePrefix: '/api-docs',
    uiConfig: { docExpansion: 'list', deepLinking: true },
    theme: {
      title: `${title} API`,
      css: [{ filename: 'berth.css', content: '.swagger-ui .topbar { display: none }' }],
    },
    staticCSP: true,
  });
}

/** Serves the OpenAPI document at `openapi.json` below the app's prefix. */
export function registerOpenApiRoute(app: FastifyInstance): void {
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}
