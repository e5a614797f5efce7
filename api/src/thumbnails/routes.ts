import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { ArtefactSchema, IdParamsSchema } from '../artefacts/index.ts';
import { acceptMultipart, FormFileSchema, problems, readSmallFile } from '../http/index.ts';
import type { ThumbnailData, ThumbnailService } from './service.ts';

const MAX_IMAGE_BYTES = 5 * 1024 * 1024;
/** An SVG may carry scripts: in a sandbox of its own origin they cannot run, nor load anything. */
const SVG_CONTENT_SECURITY_POLICY = 'default-src \'none\'; style-src \'unsafe-inline\'; img-src data:; sandbox';

export function thumbnailRoutes(thumbnails: ThumbnailService): FastifyPluginAsyncTypebox {
  return async (app) => {
    acceptMultipart(app);

    app.post('/artefacts/:id/thumbnail', {
      config: { lateBody: true, form: Type.Object({ file: FormFileSchema }) },
      schema: { summary: 'Set the thumbnail', tags: ['thumbnails'], consumes: ['multipart/form-data'], params: IdParamsSchema, response: { 201: ArtefactSchema, ...problems(400, 401, 403, 404, 413, 415) } },
    }, async (request, reply) => {
      const document = await thumbnails.set(request.actor, request.params.id, () => readSmallFile(request, MAX_IMAGE_BYTES));
      return reply.code(201).type('application/json; charset=utf-8').send(document as never);
    });

    app.delete('/artefacts/:id/thumbnail', {
      schema: { summary: 'Remove the thumbnail', tags: ['thumbnails'], params: IdParamsSchema, response: { 204: Type.Null({ description: 'Done' }), ...problems(401, 403, 404) } },
    }, async (request, reply) => {
      await thumbnails.delete(request.actor, request.params.id);
      return reply.code(204).send(null);
    });

    app.get('/artefacts/:id/thumbnail', {
      schema: { summary: 'Get the thumbnail of an artefact', tags: ['thumbnails'], params: IdParamsSchema, response: { ...problems(401, 404) } },
    }, async (request, reply) => {
      return sendImage(reply, await thumbnails.findOf(request.actor.caller, request.params.id));
    });

    app.get('/thumbnails/:id/data', {
      schema: { summary: 'Get a thumbnail by its own id', tags: ['thumbnails'], params: IdParamsSchema, response: { ...problems(404) } },
    }, async (request, reply) => {
      const image = await thumbnails.find(request.params.id);
      reply.removeHeader('vary').header('cache-control', 'public, max-age=31536000, immutable');
      return sendImage(reply, image);
    });
  };
}

function sendImage(reply: FastifyReply, { contentType, data }: ThumbnailData): FastifyReply {
  if (contentType === 'image/svg+xml') reply.header('content-security-policy', SVG_CONTENT_SECURITY_POLICY);
  return reply.header('x-content-type-options', 'nosniff').type(contentType).send(Buffer.from(data));
}
