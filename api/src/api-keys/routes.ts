import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { problems } from '../http/index.ts';
import {
  ApiKeyListQuerySchema,
  ApiKeyListSchema,
  CreatedApiKeySchema,
  NewApiKeySchema,
  RotationSchema,
} from './schemas.ts';
import type { ApiKeyService } from './service.ts';

const tags = ['API keys'];

export function apiKeyRoutes(keys: ApiKeyService): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.post(
      '/api-keys',
      {
        schema: {
          summary: 'Create an API key; the raw key is shown only once',
          tags,
          body: NewApiKeySchema,
          response: { 201: CreatedApiKeySchema, ...problems(400, 401, 403) },
        },
      },
      async (request, reply) =>
        reply
          .code(201)
          .header('cache-control', 'no-store')
          .send(await keys.create(request.actor, request.body)),
    );

    app.get(
      '/api-keys',
      {
        schema: {
          summary: 'List API keys: all for superadmins, otherwise the read keys of the account',
          tags,
          querystring: ApiKeyListQuerySchema,
          response: { 200: ApiKeyListSchema, ...problems(400, 401, 403) },
        },
      },
      (request) => keys.list(request.actor.caller, request.query),
    );

    app.post(
      '/api-keys/:id/rotate',
      {
        schema: {
          summary: 'Rotate an API key; the new raw key is shown only once',
          tags,
          params: Type.Object({ id: Type.String() }),
          body: RotationSchema,
          response: { 201: CreatedApiKeySchema, ...problems(400, 401, 403, 404) },
        },
        // An empty body means the defaults.
        preValidation: (request, _reply, next) => {
          request.body ??= {};
          next();
        },
      },
      async (request, reply) =>
        reply
          .code(201)
          .header('cache-control', 'no-store')
          .send(await keys.rotate(request.actor, request.params.id, request.body)),
    );

    app.delete(
      '/api-keys/:id',
      {
        schema: {
          summary: 'Revoke an API key, effective immediately',
          tags,
          params: Type.Object({ id: Type.String() }),
          response: { 204: Type.Null(), ...problems(401, 403, 404) },
        },
      },
      async (request, reply) => {
        await keys.revoke(request.actor, request.params.id);
        return reply.code(204).send(null);
      },
    );
    done();
  };
}
