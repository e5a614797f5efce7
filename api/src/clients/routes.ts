import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { toReprDigest } from '../digests/index.ts';
import { answerTo, problems, RangeNotSatisfiableError } from '../http/index.ts';
import { CLIENT_NAMES, ClientListSchema, ClientVersionParamsSchema } from './schemas.ts';
import type { Clients, ClientTarball } from './service.ts';

const TARBALL = { description: 'The tarball', content: { 'application/gzip': { schema: Type.String() } } };
const NOT_MODIFIED = Type.Null({ description: 'Not modified' });

/**
 * Lists and serves the clients without authentication. Register it outside of the authenticated scope: shared caches
 * store the tarballs, so no response may set a cookie.
 */
export function clientRoutes(clients: Clients): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/clients',
      {
        schema: {
          summary: 'List the clients that this registry serves',
          tags: ['clients'],
          security: [],
          response: { 200: ClientListSchema, ...problems(503) },
        },
      },
      async (_request, reply) => {
        const results = await clients.list();
        reply.header('cache-control', 'no-cache');
        return { results, count: results.length };
      },
    );

    for (const name of CLIENT_NAMES) {
      app.get(
        `/clients/${name}.tgz`,
        {
          schema: {
            summary: `Redirect to the current version of ${name}`,
            tags: ['clients'],
            security: [],
            response: { 302: Type.Null({ description: 'The tarball is at Location' }), ...problems(503) },
          },
        },
        async (_request, reply) => {
          // Relative, so that it works below any base path and behind any proxy.
          const location = `${await clients.versionOf(name)}/${name}.tgz`;
          return reply.header('cache-control', 'no-cache').redirect(location);
        },
      );

      app.route({
        method: ['GET', 'HEAD'],
        url: `/clients/:version/${name}.tgz`,
        schema: {
          summary: `Download a version of ${name} as an npm tarball`,
          tags: ['clients'],
          security: [],
          params: ClientVersionParamsSchema,
          response: { 200: TARBALL, 206: TARBALL, 304: NOT_MODIFIED, ...problems(404, 416, 503) },
        },
        handler: async (request, reply) => {
          return sendTarball(request, reply, await clients.read(name, request.params.version));
        },
      });
    }
  };
}

function sendTarball(request: FastifyRequest, reply: FastifyReply, { bytes, digest }: ClientTarball): FastifyReply {
  const etag = `"${digest}"`;
  const answer = answerTo(request.method, request.headers, { etag, sizeBytes: bytes.length });
  if (answer.status === 416) {
    const detail = `The range lies outside the ${bytes.length} bytes of this tarball.`;
    throw new RangeNotSatisfiableError(detail, { headers: { 'content-range': `bytes */${bytes.length}` } });
  }
  reply.code(answer.status).headers({
    etag,
    'repr-digest': toReprDigest(digest),
    'accept-ranges': 'bytes',
    'cache-control': 'public, max-age=31536000, immutable',
    'content-type': 'application/gzip',
  });
  if (answer.status === 304) return reply.send();
  const { start, end } = answer.status === 206 ? answer.range : { start: 0, end: bytes.length - 1 };
  reply.header('content-length', String(end - start + 1));
  if (answer.status === 206) reply.header('content-range', `bytes ${start}-${end}/${bytes.length}`);
  return reply.send(request.method === 'HEAD' ? undefined : bytes.subarray(start, end + 1));
}
