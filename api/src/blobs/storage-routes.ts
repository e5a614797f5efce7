import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { eventStreams, problems, refuseNull, type EventStreamOptions } from '../http/index.ts';
import {
  ScrubJobSchema,
  ScrubRequestSchema,
  StorageSchema,
  SweepJobSchema,
  SweepRequestSchema,
  SweepResultSchema,
} from './schemas.ts';
import type { Storage } from './storage.ts';

const tags = ['storage'];

/** Storage administration for superadmins: totals, garbage collection (sweep) and integrity check (scrub). */
export function storageRoutes(storage: Storage, streams: EventStreamOptions = {}): FastifyPluginAsyncTypebox {
  return async (app) => {
    const openStream = eventStreams(app, streams);

    app.get(
      '/storage',
      {
        schema: {
          summary: 'Get storage totals and the state of sweep and scrub',
          tags,
          response: { 200: StorageSchema, ...problems(401, 403) },
        },
      },
      async (request) => (await storage.overview(request.actor.caller)) as never,
    );

    app.post(
      '/storage/sweep',
      {
        preValidation: refuseNull,
        schema: {
          summary: 'Start a sweep (garbage collection), or preview it with a dry run',
          tags,
          body: Type.Union([SweepRequestSchema, Type.Null()]),
          response: { 200: SweepResultSchema, 202: SweepJobSchema, ...problems(400, 401, 403, 409, 503) },
        },
      },
      async (request, reply) => {
        if (request.body?.dryRun) return await storage.previewSweep(request.actor.caller);
        return reply.code(202).send((await storage.begin(request.actor, 'sweep')) as never);
      },
    );

    app.post(
      '/storage/scrub',
      {
        preValidation: refuseNull,
        schema: {
          summary: 'Start a scrub (integrity check of every blob)',
          tags,
          body: Type.Union([ScrubRequestSchema, Type.Null()]),
          response: { 202: ScrubJobSchema, ...problems(400, 401, 403, 409) },
        },
      },
      async (request, reply) => reply.code(202).send((await storage.begin(request.actor, 'scrub')) as never),
    );

    app.get(
      '/storage/events',
      {
        schema: {
          summary: 'Watch sweep and scrub as server-sent events',
          description:
            'Events `sweep` and `scrub`, each with the job as in GET /storage: the current state first, then every ' +
            'change, whichever replica runs it.',
          tags,
          response: {
            200: { description: 'Server-sent events', content: { 'text/event-stream': { schema: Type.String() } } },
            ...problems(401, 403),
          },
        },
      },
      (request, reply) => {
        const { watch, isAllowed } = storage.watcherFor(request.actor);
        const stream = openStream(reply, { isAllowed });
        stream.onClose(
          watch((job, state) => {
            stream.send({ event: job, data: JSON.stringify(state) });
          }),
        );
      },
    );
  };
}
