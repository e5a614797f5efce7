import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { eventStreams, problems, type EventStreamOptions } from '../http/index.ts';
import { EventsPageSchema, EventsQuerySchema, StreamQuerySchema } from './schemas.ts';
import type { Events } from './service.ts';

const tags = ['events'];
const DESCRIPTION =
  'Superadmins and internal services without `x-account` get all events; others those of artefacts that they may ' +
  'see, and of deleted ones that they could see last. An event is there exactly if its change was committed. 410 ' +
  '`events_gone` if events since the cursor are no longer known.';

/** Routes of the outbox of events. */
export function eventRoutes(events: Events, streams: EventStreamOptions = {}): FastifyPluginAsyncTypebox {
  return async (app) => {
    const openStream = eventStreams(app, streams);

    app.get(
      '/events',
      {
        schema: {
          summary: 'List events, oldest first, as CloudEvents',
          description: DESCRIPTION,
          tags,
          querystring: EventsQuerySchema,
          response: { 200: EventsPageSchema, ...problems(400, 401, 403, 410) },
        },
      },
      async (request, reply) => {
        const page = await events.list(request.actor.caller, request.query);
        return reply.type('application/json; charset=utf-8').send(page as never);
      },
    );

    app.get(
      '/events/stream',
      {
        schema: {
          summary: 'Follow events as server-sent events',
          description:
            `${DESCRIPTION} Each message is a CloudEvent as in GET /events; its \`id\` is the cursor that ` +
            '`Last-Event-ID` takes up after an interruption. Heartbeats have the present cursor as their `id`, ' +
            'without data, and in a comment: `: heartbeat <cursor>`.',
          tags,
          querystring: StreamQuerySchema,
          headers: Type.Object({
            'last-event-id': Type.Optional(
              Type.String({ description: 'ID of the last message of an earlier stream' }),
            ),
          }),
          response: {
            200: { description: 'Server-sent events', content: { 'text/event-stream': { schema: Type.String() } } },
            ...problems(400, 401, 403, 410, 429),
          },
        },
      },
      async (request, reply) => {
        const { 'last-event-id': lastEventId } = request.headers;
        const follower = await events.follow(request.actor, request.query, lastEventId);
        let { position } = follower;
        const stream = openStream(reply, { isAllowed: follower.isAllowed, position: () => position });
        try {
          for await (const part of follower.parts(stream.signal)) {
            for (const { id, json } of part.events) stream.send({ id, data: json });
            ({ position } = part);
            await stream.drained();
          }
        } finally {
          stream.end();
        }
        return reply;
      },
    );
  };
}
