import type { FastifyPluginCallbackTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { problems } from '../../http/index.ts';
import type { OwnSessionService } from './own-sessions.ts';
import { OwnSessionListSchema } from './schemas.ts';

const tags = ['session'];
const NO_CONTENT = Type.Null({ description: 'Done' });

export function ownSessionRoutes(sessions: OwnSessionService): FastifyPluginCallbackTypebox {
  return (app, _options, done) => {
    app.get(
      '/sessions',
      {
        schema: {
          summary: "List the user's own sessions, most recently renewed first",
          tags,
          response: { 200: OwnSessionListSchema, ...problems(401, 403) },
        },
      },
      async (request) => {
        const results = await sessions.list(request.actor.caller);
        return { results, count: results.length };
      },
    );

    app.delete(
      '/sessions',
      {
        schema: {
          summary: "End all of the user's sessions except the current one",
          tags,
          response: { 204: NO_CONTENT, ...problems(401, 403) },
        },
      },
      async (request, reply) => {
        await sessions.endOthers(request.actor);
        return reply.code(204).send(null);
      },
    );

    app.delete(
      '/sessions/:id',
      {
        schema: {
          summary: "End one of the user's sessions, effective immediately",
          tags,
          params: Type.Object({ id: Type.String() }),
          response: { 204: NO_CONTENT, ...problems(401, 403, 404) },
        },
      },
      async (request, reply) => {
        await sessions.end(request.actor, request.params.id);
        return reply.code(204).send(null);
      },
    );
    done();
  };
}
