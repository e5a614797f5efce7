import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { problems } from '../http/index.ts';
import { ArchitectureQuerySchema, FileListSchema, IdParamsSchema, PackageListSchema } from './schemas.ts';
import type { ArtefactServices } from './service.ts';

/** What is inside a tarball: README, bundled packages, files. */
export function contentRoutes({ contents }: ArtefactServices): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', async (_request, reply) => { reply.header('x-content-type-options', 'nosniff'); });

    app.get('/artefacts/:id/readme', {
      schema: { summary: 'Read the README', tags: ['contents'], params: IdParamsSchema, querystring: ArchitectureQuerySchema, response: { ...problems(400, 401, 404) } },
    }, async (request, reply) => {
      const readme = await contents.readme(request.actor.caller, { ...request.params, architecture: request.query.architecture });
      return reply.type('text/markdown; charset=utf-8').send(readme as never);
    });

    app.get('/artefacts/:id/packages', {
      schema: { summary: 'List the bundled packages', tags: ['contents'], params: IdParamsSchema, querystring: ArchitectureQuerySchema, response: { 200: PackageListSchema, ...problems(400, 401, 404) } },
    }, async (request) => {
      const results = await contents.packages(request.actor.caller, { ...request.params, architecture: request.query.architecture });
      return { results, count: results.length };
    });

    app.get('/artefacts/:id/files', {
      schema: { summary: 'List the files', tags: ['contents'], params: IdParamsSchema, querystring: ArchitectureQuerySchema, response: { 200: FileListSchema, ...problems(400, 401, 403, 404) } },
    }, async (request) => {
      const files = await contents.files(request.actor.caller, { ...request.params, architecture: request.query.architecture });
      return { results: files.map(({ path, sizeBytes: size, mode, type, target }) => ({ path, size, mode, type, ...(target !== undefined && { target }) })), count: files.length };
    });

    app.get('/artefacts/:id/files/*', {
      schema: { summary: 'Read one file', tags: ['contents'], params: IdParamsSchema, querystring: ArchitectureQuerySchema, response: { ...problems(400, 401, 403, 404) } },
    }, async (request, reply) => {
      const { id, '*': path = '' } = request.params as { 'id': string; '*'?: string };
      const { sizeBytes, open } = await contents.file(request.actor.caller, { id, architecture: request.query.architecture }, path);
      // Never a type that a browser would run: the file is somebody's upload.
      reply.headers({ 'content-length': String(sizeBytes), 'content-security-policy': 'sandbox; default-src \'none\'' }).type('text/plain; charset=utf-8');
      return reply.send((request.method === 'HEAD' ? Readable.from([]) : await open()) as never);
    });
  };
}
