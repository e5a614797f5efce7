import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { acceptRawBody, isProxied, problems, readMultipart, sendBytes } from '../http/index.ts';
import { FORMATS } from './artefact.ts';
import type { DownloadRequest } from './download.ts';
import { UPLOAD_FIELDS } from './publish.ts';
import { DownloadQuerySchema, IdParamsSchema, ReceiptSchema, UploadFormSchemas } from './schemas.ts';
import type { ArtefactServices } from './service.ts';

/** Serves uploads and downloads. */
export function transferRoutes({ publishing, download }: ArtefactServices): FastifyPluginAsyncTypebox {
  return async (app) => {
    acceptRawBody(app);

    for (const format of FORMATS) {
      app.post(
        `/artefacts/${format}/:id`,
        {
          config: { lateBody: true, form: UploadFormSchemas[format] },
          schema: {
            summary: format === 'npm' ? 'Upload an npm tarball into a slot' : 'Upload a file',
            tags: ['artefacts'],
            consumes: ['multipart/form-data'],
            params: IdParamsSchema,
            response: { 201: ReceiptSchema, ...problems(400, 401, 403, 409, 413, 507) },
          },
        },
        async (request, reply) => {
          const document = await publishing.publish(
            request.actor,
            { id: request.params.id, format },
            readMultipart(request, UPLOAD_FIELDS[format]),
          );
          return reply
            .code(201)
            .type('application/json; charset=utf-8')
            .send(`{"artefact":${document}}` as never);
        },
      );
    }

    for (const kind of ['tarball', 'download'] as const) {
      app.route({
        method: ['GET', 'HEAD'],
        url: `/artefacts/:id/${kind}`,
        schema: {
          summary:
            kind === 'tarball'
              ? 'Download the tarball of an architecture'
              : 'Download the file, or the best matching tarball',
          tags: ['artefacts'],
          params: IdParamsSchema,
          querystring: DownloadQuerySchema,
          response: {
            302: Type.Null({
              description: 'The file is temporarily available at Location: fetch it without credentials',
            }),
            304: Type.Null({ description: 'Not modified' }),
            ...problems(400, 401, 403, 404, 416),
          },
        },
        handler: async (request, reply) => {
          const { id } = request.params;
          const { architecture, redirect } = request.query;
          return send(request, reply, {
            id,
            kind,
            architecture,
            ...(redirect !== undefined && { redirect }),
            method: request.method,
            headers: request.headers,
            isProxied: isProxied(request),
          });
        },
      });
    }

    async function send(
      request: FastifyRequest,
      reply: FastifyReply,
      downloadRequest: DownloadRequest,
    ): Promise<FastifyReply> {
      const { status, headers, body } = await download(request.actor.caller, downloadRequest);
      return body ? sendBytes(reply, { status, headers }, body) : reply.code(status).headers(headers).send();
    }
  };
}
