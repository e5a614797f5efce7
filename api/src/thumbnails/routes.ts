import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { ArtefactSchema, IdParamsSchema } from '../artefacts/index.ts';
import {
  acceptRawBody,
  contentDisposition,
  FormFileSchema,
  isNotModified,
  problems,
  readSmallFile,
} from '../http/index.ts';
import type { ThumbnailData, ThumbnailService } from './service.ts';

const MAX_IMAGE_BYTES = 5 * 1024 * 1024;
/** An SVG may contain scripts: the sandbox gives it an opaque origin, where they do not run and load nothing. */
export const SVG_CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox";

const IMAGE = {
  description: 'The image',
  content: { 'image/webp': { schema: FormFileSchema }, 'image/svg+xml': { schema: FormFileSchema } },
};
const ThumbnailParamsSchema = Type.Object({
  id: Type.String({ description: 'Id of the image: `thumbnail.id` of a document' }),
});

/** Reads, sets and deletes the thumbnail of an artefact, for callers who may see or edit the artefact. */
export function thumbnailRoutes(thumbnails: ThumbnailService): FastifyPluginAsyncTypebox {
  return async (app) => {
    acceptRawBody(app);

    app.post(
      '/artefacts/:id/thumbnail',
      {
        config: { lateBody: true, form: Type.Object({ file: FormFileSchema }) },
        schema: {
          summary: 'Set the thumbnail',
          tags: ['thumbnails'],
          consumes: ['multipart/form-data'],
          params: IdParamsSchema,
          response: { 201: ArtefactSchema, ...problems(400, 401, 403, 404, 413) },
        },
      },
      async (request, reply) => {
        const document = await thumbnails.set(request.actor, request.params.id, () =>
          readSmallFile(request, MAX_IMAGE_BYTES),
        );
        return reply
          .code(201)
          .type('application/json; charset=utf-8')
          .send(document as never);
      },
    );

    app.delete(
      '/artefacts/:id/thumbnail',
      {
        schema: {
          summary: 'Remove the thumbnail',
          tags: ['thumbnails'],
          params: IdParamsSchema,
          response: { 204: Type.Null({ description: 'Done' }), ...problems(401, 403, 404) },
        },
      },
      async (request, reply) => {
        await thumbnails.delete(request.actor, request.params.id);
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/artefacts/:id/thumbnail',
      {
        schema: {
          summary: 'Get the thumbnail of an artefact',
          tags: ['thumbnails'],
          params: IdParamsSchema,
          response: { 200: IMAGE, ...problems(401, 403, 404) },
        },
      },
      async (request, reply) =>
        sendImage(request, reply, await thumbnails.findOf(request.actor.caller, request.params.id)),
    );
  };
}

/**
 * Serves images by their own ids, public and immutable. Register it in a scope without authentication: a response
 * that shared caches store must not carry a session cookie.
 */
export function thumbnailDataRoutes(thumbnails: ThumbnailService): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get(
      '/thumbnails/:id/data',
      {
        schema: {
          summary: 'Get a thumbnail by its own id',
          tags: ['thumbnails'],
          security: [],
          params: ThumbnailParamsSchema,
          response: { 200: IMAGE, ...problems(404) },
        },
      },
      async (request, reply) => {
        const image = await thumbnails.find(request.params.id);
        return sendImage(request, reply.header('cache-control', 'public, max-age=31536000, immutable'), image);
      },
    );
  };
}

function sendImage(
  { headers }: Pick<FastifyRequest, 'headers'>,
  reply: FastifyReply,
  { id, contentType, data }: ThumbnailData,
): FastifyReply {
  const etag = `"${id}"`;
  const extension = contentType === 'image/svg+xml' ? 'svg' : 'webp';
  reply.headers({
    etag,
    'x-content-type-options': 'nosniff',
    'content-disposition': contentDisposition('inline', `${id}.${extension}`),
  });
  if (contentType === 'image/svg+xml') reply.header('content-security-policy', SVG_CONTENT_SECURITY_POLICY);
  if (isNotModified(headers, { etag })) return reply.code(304).send();
  return reply.type(contentType).send(Buffer.from(data.buffer, data.byteOffset, data.length));
}
