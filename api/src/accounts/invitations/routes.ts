import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { problems } from '../../http/index.ts';
import {
  AcceptanceSchema,
  CreatedInvitationSchema,
  InvitationListSchema,
  InvitationQuerySchema,
  InvitationViewSchema,
  NewInvitationSchema,
} from './schemas.ts';
import type { InvitationService } from './service.ts';

const tags = ['organisations'];
const params = Type.Object({ id: Type.String() });

export function invitationRoutes(invitations: InvitationService): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.post(
      '/organizations/:id/invitations',
      {
        schema: {
          summary: 'Invite a user to an organisation',
          tags,
          params,
          body: NewInvitationSchema,
          response: { 201: CreatedInvitationSchema, ...problems(400, 401, 403, 404, 429, 503) },
        },
      },
      async (request, reply) =>
        reply
          .code(201)
          .header('cache-control', 'no-store')
          .send(await invitations.create(request.actor, request.params.id, request.body)),
    );

    app.get(
      '/organizations/:id/invitations',
      {
        schema: {
          summary: 'List pending invitations',
          tags,
          params,
          response: { 200: InvitationListSchema, ...problems(401, 403, 404) },
        },
      },
      async (request) => {
        const results = await invitations.list(request.actor.caller, request.params.id);
        return { results, count: results.length };
      },
    );

    app.delete(
      '/organizations/:id/invitations/:invitation',
      {
        schema: {
          summary: 'Cancel an invitation',
          tags,
          params: Type.Object({ id: Type.String(), invitation: Type.String() }),
          response: { 204: Type.Null(), ...problems(401, 403, 404) },
        },
      },
      async (request, reply) => {
        await invitations.cancel(request.actor, request.params.id, request.params.invitation);
        return reply.code(204).send(null);
      },
    );

    app.post(
      '/invitations/find',
      {
        config: { anonymous: true },
        schema: {
          summary: 'Get an invitation by the token of its link',
          tags,
          body: InvitationQuerySchema,
          response: { 200: InvitationViewSchema, ...problems(400, 401, 404) },
        },
      },
      (request) => invitations.find(request.body.token),
    );

    app.post(
      '/invitations/accept',
      {
        config: { anonymous: true },
        schema: {
          summary: 'Accept an invitation, as the user with its e-mail address or as a new user',
          tags,
          body: AcceptanceSchema,
          response: { 200: Type.Object({ email: Type.String() }), ...problems(400, 401, 403, 404) },
        },
      },
      (request) => invitations.accept(request.actor, request.body),
    );
    done();
  };
}
