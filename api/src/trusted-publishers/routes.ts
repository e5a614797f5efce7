import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { MAX_PAGE_SIZE, pageFields, problems } from '../http/index.ts';
import {
  CreatedPublisherSchema,
  ExchangeSchema,
  NewPublisherSchema,
  PublisherListSchema,
  UploadTokenSchema,
} from './schemas.ts';
import type { TrustedPublisherService } from './service.ts';

const tags = ['trusted publishers'];
const PageSchema = Type.Object(pageFields(MAX_PAGE_SIZE), { additionalProperties: false });

export function trustedPublisherRoutes(publishers: TrustedPublisherService): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.post(
      '/trusted-publishers',
      {
        schema: {
          summary: 'Trust a pipeline to publish without a key',
          tags,
          body: NewPublisherSchema,
          response: { 201: CreatedPublisherSchema, ...problems(400, 401, 403) },
        },
      },
      async (request, reply) => reply.code(201).send(await publishers.create(request.actor, request.body)),
    );

    app.get(
      '/trusted-publishers',
      {
        schema: {
          summary: 'List trusted publishers',
          tags,
          querystring: PageSchema,
          response: { 200: PublisherListSchema, ...problems(400, 401, 403) },
        },
      },
      (request) => publishers.list(request.actor.caller, request.query),
    );

    app.delete(
      '/trusted-publishers/:id',
      {
        schema: {
          summary: 'Remove a trusted publisher and revoke its keys',
          tags,
          params: Type.Object({ id: Type.String() }),
          response: { 204: Type.Null(), ...problems(401, 403, 404) },
        },
      },
      async (request, reply) => {
        await publishers.delete(request.actor, request.params.id);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/upload-tokens',
      {
        config: { anonymous: true },
        schema: {
          summary: 'Exchange the identity token of a pipeline for an upload key that is valid for an hour',
          tags,
          body: ExchangeSchema,
          response: { 201: UploadTokenSchema, ...problems(400, 401, 403, 429, 503) },
        },
      },
      async (request, reply) =>
        reply
          .code(201)
          .header('cache-control', 'no-store')
          .send(await publishers.exchange(request.actor, request.body)),
    );
    done();
  };
}
