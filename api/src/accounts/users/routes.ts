import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { problems } from '../../http/index.ts';
import { PageQuerySchema, PageSchema } from '../schemas.ts';
import { NewUserSchema, PasswordLinkSchema, UserDetailsSchema, UserPatchSchema, UserSchema } from './schemas.ts';
import type { UserService } from './service.ts';

const tags = ['users'];
const params = Type.Object({ id: Type.String() });

export function userRoutes(users: UserService): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.post(
      '/users',
      {
        schema: {
          summary: 'Create a user',
          tags,
          body: NewUserSchema,
          response: { 201: UserSchema, ...problems(400, 401, 403, 409) },
        },
      },
      async (request, reply) => reply.code(201).send(await users.create(request.actor, request.body)),
    );

    app.get(
      '/users',
      {
        schema: {
          summary: 'List users by e-mail address',
          tags,
          querystring: PageQuerySchema,
          response: { 200: PageSchema(UserSchema), ...problems(400, 401, 403) },
        },
      },
      (request) => users.list(request.actor.caller, request.query),
    );

    app.get(
      '/users/:id',
      {
        schema: {
          summary: 'Get a user and their memberships',
          tags,
          params,
          response: { 200: UserDetailsSchema, ...problems(400, 401, 403, 404) },
        },
      },
      (request) => users.find(request.actor.caller, request.params.id),
    );

    app.patch(
      '/users/:id',
      {
        schema: {
          summary: 'Change a user',
          tags,
          params,
          body: UserPatchSchema,
          response: { 200: UserSchema, ...problems(400, 401, 403, 404, 409) },
        },
      },
      (request) => users.update(request.actor, request.params.id, request.body),
    );

    app.post(
      '/users/:id/password-link',
      {
        schema: {
          summary: 'Create a link with which a user sets a new password',
          tags,
          params,
          response: { 201: PasswordLinkSchema, ...problems(401, 403, 404) },
        },
      },
      async (request, reply) =>
        reply
          .code(201)
          .header('cache-control', 'no-store')
          .send(await users.createPasswordLink(request.actor, request.params.id)),
    );

    app.delete(
      '/users/:id/provider-link',
      {
        schema: {
          summary: 'Unlink a user from the OpenID provider',
          tags,
          params,
          response: { 204: Type.Null(), ...problems(401, 403, 404) },
        },
      },
      async (request, reply) => {
        await users.unlink(request.actor, request.params.id);
        return reply.code(204).send(null);
      },
    );

    app.delete(
      '/users/:id',
      {
        schema: {
          summary: 'Delete a user',
          tags,
          params,
          response: { 204: Type.Null(), ...problems(400, 401, 403, 404, 409) },
        },
      },
      async (request, reply) => {
        await users.remove(request.actor, request.params.id);
        return reply.code(204).send(null);
      },
    );

    done();
  };
}
