import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { enforce, policy } from '../access/index.ts';
import type { Blobs } from '../blobs/index.ts';
import { problems } from '../http/index.ts';
import { DEFAULT_STATS_DAYS, StatsQuerySchema, StatsSchema } from './schemas.ts';
import type { ArtefactServices } from './service.ts';

/** Serves statistics of the registry: its contents, and uploads and downloads by day. */
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
        const blobTotals = await blobs.totals();
        return {
          ...(await read.totals()),
          blobs: blobTotals.count,
          storedBytes: blobTotals.sizeBytes,
          results: await counts.byDay({ days, artefactId: artefact }),
          months: await counts.byMonth(artefact),
        };
      },
    );
  };
}
