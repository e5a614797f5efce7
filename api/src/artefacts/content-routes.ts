import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { digestFrom } from '../digests/index.ts';
import { contentDisposition, problems } from '../http/index.ts';
import type { FileEntry } from '../tarballs/index.ts';
import { ArchitectureQuerySchema, FileListSchema, IdParamsSchema, PackageListSchema } from './schemas.ts';
import type { ArtefactServices } from './service.ts';

const README = { description: 'The README', content: { 'text/markdown': { schema: Type.String() } } };
const FILE = {
  description: 'The bytes of the file, always as plain text, which browsers do not execute',
  content: { 'text/plain': { schema: Type.String() } },
};

/** Serves the contents of a tarball: README, bundled packages, files. */
export function contentRoutes({ contents }: ArtefactServices): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.addHook('onRequest', async (_request, reply) => {
      reply.header('x-content-type-options', 'nosniff');
    });

    app.get(
      '/artefacts/:id/readme',
      {
        schema: {
          summary: 'Read the README',
          tags: ['contents'],
          params: IdParamsSchema,
          querystring: ArchitectureQuerySchema,
          response: { 200: README, ...problems(400, 401, 403, 404) },
        },
      },
      async (request, reply) => {
        const readme = await contents.readme(request.actor.caller, {
          ...request.params,
          architecture: request.query.architecture,
        });
        return reply
          .header('content-disposition', contentDisposition('inline', 'README.md'))
          .type('text/markdown; charset=utf-8')
          .send(readme);
      },
    );

    app.get(
      '/artefacts/:id/packages',
      {
        schema: {
          summary: 'List the bundled packages',
          tags: ['contents'],
          params: IdParamsSchema,
          querystring: ArchitectureQuerySchema,
          response: { 200: PackageListSchema, ...problems(400, 401, 403, 404) },
        },
      },
      async (request, reply) => {
        const packages = await contents.packages(request.actor.caller, {
          ...request.params,
          architecture: request.query.architecture,
        });
        return reply.type('application/json; charset=utf-8').send(packages as never);
      },
    );

    app.get(
      '/artefacts/:id/files',
      {
        schema: {
          summary: 'List the files',
          tags: ['contents'],
          params: IdParamsSchema,
          querystring: ArchitectureQuerySchema,
          response: { 200: FileListSchema, ...problems(400, 401, 403, 404) },
        },
      },
      async (request, reply) => {
        const files = await contents.files(request.actor.caller, {
          ...request.params,
          architecture: request.query.architecture,
        });
        return reply.type('application/json; charset=utf-8').send(Readable.from(renderFileList(files)) as never);
      },
    );

    app.get(
      '/artefacts/:id/files/*',
      {
        schema: {
          summary: 'Read one file',
          tags: ['contents'],
          params: IdParamsSchema,
          querystring: ArchitectureQuerySchema,
          response: { 200: FILE, ...problems(400, 401, 403, 404, 503) },
        },
      },
      async (request, reply) => {
        // Not in a schema: typebox 1.4 treats property names as regular expressions when it converts values.
        const { id, '*': path = '' } = request.params as { 'id': string; '*'?: string };
        const { sizeBytes, open } = await contents.file(
          request.actor.caller,
          { id, architecture: request.query.architecture },
          path,
        );
        reply
          .headers({
            'content-length': String(sizeBytes),
            'content-disposition': contentDisposition('inline', path.slice(path.lastIndexOf('/') + 1)),
            'content-security-policy': "sandbox; default-src 'none'",
          })
          .type('text/plain; charset=utf-8');
        if (request.method === 'HEAD') return reply.send(Readable.from([]) as never);
        const gone = new AbortController();
        reply.raw.once('close', () => {
          gone.abort();
        });
        return reply.send((await open(gone.signal)) as never);
      },
    );
  };
}

/** Streams a FileListSchema as it is read: the list may be huge. */
async function* renderFileList(files: AsyncIterable<FileEntry[]>): AsyncGenerator<string> {
  let count = 0;
  for await (const piece of files) {
    const entries = piece.map(({ path, sizeBytes: size, mode, type, target, sha256 }) =>
      JSON.stringify({ path, size, mode, type, target, digest: sha256 && digestFrom(sha256) }),
    );
    yield (count === 0 ? '{"results":[' : ',') + entries.join(',');
    count += piece.length;
  }
  yield `${count === 0 ? '{"results":[' : ''}],"count":${count}}`;
}
