import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { enforce, policy } from '../access/index.ts';
import type { Blobs } from '../blobs/index.ts';
import { problems } from '../http/index.ts';
import { DEFAULT_STATS_DAYS, StatsQuerySchema, StatsSchema } from './schemas.ts';
import type { ArtefactServices } from './service.ts';

/** What the registry holds, and what came in and went out. */
export function statsRoutes(
  { read, counts }: ArtefactServices,
  blobs: Pick<Blobs, 'totals'>,
): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/stats',
      {
        schema: {
          summary: 'Count artefacts, bytes, and transfers by day',
          tags: ['server'],
          querystring: StatsQuerySchema,
          response: { 200: StatsSchema, ...problems(400, 401, 403) },
        },
      },
      async (request) => {
        enforce(policy.seeStats(request.actor.caller));
        const { days = DEFAULT_STATS_DAYS, artefact } = request.query;
        const stored = await blobs.totals();
        return {
          ...(await read.totals()),
          blobs: stored.count,
          storedBytes: stored.sizeBytes,
          results: await counts.byDay({ days, artefactId: artefact }),
        };
      },
    );
  };
}
