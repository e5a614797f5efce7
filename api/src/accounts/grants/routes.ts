import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { problems } from '../../http/index.ts';
import { PageQuerySchema, PageSchema } from '../schemas.ts';
import { GrantSchema, NewGrantSchema } from './schemas.ts';
import type { GrantService } from './service.ts';

const tags = ['access grants'];
const params = Type.Object({ id: Type.String() });

export function grantRoutes(grants: GrantService): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.post(
      '/access-grants',
      {
        schema: {
          summary: 'Grant an account access to downloads',
          tags,
          body: NewGrantSchema,
          response: { 201: GrantSchema, ...problems(400, 401, 403, 409) },
        },
      },
      async (request, reply) => reply.code(201).send(await grants.create(request.actor, request.body.account)),
    );

    app.get(
      '/access-grants',
      {
        schema: {
          summary: 'List access grants',
          tags,
          querystring: PageQuerySchema,
          response: { 200: PageSchema(GrantSchema), ...problems(400, 401, 403) },
        },
      },
      (request) => grants.list(request.actor.caller, request.query),
    );

    app.get(
      '/access-grants/me',
      {
        schema: {
          summary: 'Get the access grant of the account that the user acts for',
          tags,
          response: { 200: GrantSchema, ...problems(401, 403, 404) },
        },
      },
      (request) => grants.findOwn(request.actor.caller),
    );

    app.delete(
      '/access-grants/:id',
      {
        schema: {
          summary: 'Revoke an access grant',
          tags,
          params,
          response: { 204: Type.Null(), ...problems(400, 401, 403, 404) },
        },
      },
      async (request, reply) => {
        await grants.remove(request.actor, request.params.id);
        return reply.code(204).send(null);
      },
    );

    done();
  };
}
