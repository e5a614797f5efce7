import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { acceptRawBody, FormFileSchema, problems } from '../http/index.ts';
import { Answers, RequestHeaders, UploadParamsSchema, UploadSchema } from './schemas.ts';
import type { UploadService } from './service.ts';
import { answerTus, BODY_TYPE } from './tus-answer.ts';

const TAGS = ['resumable uploads'];

/** Resumable uploads: tus 1.0 (https://tus.io/protocols/resumable-upload), and one route that tells what came of one. */
export function uploadRoutes(uploads: UploadService, maxUploadBytes: number): FastifyPluginAsyncTypebox {
  return async (app) => {
    acceptRawBody(app);

    app.options('/uploads', {
      schema: { summary: 'Tell what of tus is offered', tags: TAGS, response: { 204: Answers.options } },
    }, async (request, reply) => answerTus(request, reply, uploads, { maxUploadBytes }));

    app.post('/uploads', {
      config: { lateBody: true, form: FormFileSchema },
      schema: {
        consumes: [BODY_TYPE],
        summary: 'Start a resumable upload', tags: TAGS, headers: RequestHeaders.creation,
        response: { 201: Answers.created, ...problems(400, 401, 403, 409, 412, 413, 415, 501, 507) },
      },
    }, async (request, reply) => answerTus(request, reply, uploads, { maxUploadBytes }));

    app.head('/uploads/:uploadId', {
      config: { swagger: { exposeHeadRoute: true } },
      schema: {
        summary: 'Tell where a resumable upload stands', tags: TAGS, params: UploadParamsSchema, headers: RequestHeaders.any,
        response: { 200: Answers.head, ...problems(400, 401, 403, 404, 409, 410, 412, 413, 423) },
      },
    }, async (request, reply) => answerTus(request, reply, uploads, { maxUploadBytes, id: await permitted(request) }));

    app.patch('/uploads/:uploadId', {
      config: { lateBody: true, form: FormFileSchema },
      schema: {
        consumes: [BODY_TYPE],
        summary: 'Send bytes of a resumable upload; the last one publishes the artefact', tags: TAGS, params: UploadParamsSchema, headers: RequestHeaders.patch,
        response: { 204: Answers.patched, ...problems(400, 401, 403, 404, 409, 410, 412, 413, 415, 423, 507) },
      },
    }, async (request, reply) => answerTus(request, reply, uploads, { maxUploadBytes, id: await permitted(request) }));

    app.delete('/uploads/:uploadId', {
      schema: {
        summary: 'Give up a resumable upload', tags: TAGS, params: UploadParamsSchema, headers: RequestHeaders.any,
        response: { 204: Answers.removed, ...problems(400, 401, 403, 404, 412, 423) },
      },
    }, async (request, reply) => answerTus(request, reply, uploads, { maxUploadBytes, id: await permitted(request) }));

    app.post('/uploads/:uploadId', {
      config: { lateBody: true, form: FormFileSchema },
      schema: {
        consumes: [BODY_TYPE],
        summary: 'Send bytes of a resumable upload, or give it up, where nothing but POST comes through', tags: TAGS, params: UploadParamsSchema, headers: RequestHeaders.override,
        response: { 204: Answers.patched, ...problems(400, 401, 403, 404, 409, 410, 412, 413, 415, 423, 507) },
      },
    }, async (request, reply) => answerTus(request, reply, uploads, { maxUploadBytes, id: await permitted(request) }));

    app.get('/uploads/:uploadId', {
      exposeHeadRoute: false,
      schema: {
        summary: 'Read what is known of a resumable upload, and what came of it', tags: TAGS, params: UploadParamsSchema,
        response: { 200: UploadSchema, ...problems(401, 403, 404) },
      },
    }, async (request, reply) => {
      const { target, sizeBytes, receivedBytes, createdAt, expiresAt, result } = await uploads.find(request.actor, request.params.uploadId);
      const state = JSON.stringify({
        artefactId: target.id, format: target.format, size: sizeBytes, ...(receivedBytes !== undefined && { offset: receivedBytes }), createdAt, expiresAt,
        ...(result && { digest: result.digest }),
      });
      // The document is JSON already.
      const body = result ? `${state.slice(0, -1)},"artefact":${result.document}}` : state;
      return reply.type('application/json; charset=utf-8').send(body as never);
    });

    /** Another's upload is refused before anything is asked of it. */
    async function permitted({ actor, params }: { actor: Parameters<UploadService['find']>[0]; params: { uploadId: string } }): Promise<string> {
      return (await uploads.find(actor, params.uploadId)).id;
    }
  };
}
