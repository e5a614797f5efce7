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
          summary: "List one's sessions, the one used last first",
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
          summary: "End all of one's sessions but this one",
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
          summary: "End one of one's sessions, at once",
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
