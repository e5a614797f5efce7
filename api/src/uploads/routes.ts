import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import {
  acceptRawBody,
  FormFileSchema,
  problems,
  readRawBody,
  UploadAbortedError,
  UploadTooLargeError,
} from '../http/index.ts';
import { withClaim } from './claims.ts';
import { TusExtensionError, UploadOffsetError } from './errors.ts';
import { readMetadata, writeMetadata } from './operations.ts';
import { Answers, RequestHeaders, UploadParamsSchema, UploadSchema } from './schemas.ts';
import type { ReadBody, TusUploadService } from './service.ts';
import {
  assertProtocol,
  BODY_TYPE,
  formatMetadata,
  methodMeant,
  parseMetadata,
  readBodyLength,
  readUploadLength,
  readUploadOffset,
  TUS_EXTENSIONS,
  TUS_VERSION,
} from './tus-headers.ts';
import { EXPIRY_MS, type TusUpload } from './upload.ts';

type AnswerHeaders = Record<string, string | number>;
type UploadRequest = FastifyRequest<{ Params: { uploadId: string } }>;

const TAGS = ['resumable uploads'];
const TUS = { 'tus-resumable': TUS_VERSION };

/** tus 1.0 (https://tus.io/protocols/resumable-upload), and one route that tells what came of an upload. */
export function uploadRoutes(uploads: TusUploadService, maxUploadBytes: number): FastifyPluginAsyncTypebox {
  return async (app) => {
    acceptRawBody(app);

    app.options(
      '/uploads',
      {
        schema: { summary: 'Tell what of tus is offered', tags: TAGS, response: { 204: Answers.options } },
      },
      async (_request, reply) =>
        reply
          .code(204)
          .headers({
            ...TUS,
            'tus-version': TUS_VERSION,
            'tus-extension': TUS_EXTENSIONS.join(','),
            'tus-max-size': maxUploadBytes,
          })
          .send(null),
    );

    app.post(
      '/uploads',
      {
        config: { lateBody: true, form: FormFileSchema },
        schema: {
          consumes: [BODY_TYPE],
          summary: 'Start a resumable upload',
          tags: TAGS,
          headers: RequestHeaders.creation,
          response: { 201: Answers.created, ...problems(400, 401, 403, 409, 412, 413, 415, 501, 507) },
        },
      },
      async (request, reply) => {
        const { actor, headers } = request;
        assertProtocol('POST', headers);
        const sizeBytes = readUploadLength(headers);
        const metadata = parseMetadata(headers);
        if (sizeBytes > maxUploadBytes) {
          throw new UploadTooLargeError(`The largest upload that this registry takes has ${maxUploadBytes} bytes.`);
        }
        assertFits(headers, 0, sizeBytes);
        const withBytes = headers['content-type'] === BODY_TYPE;
        const id = uploads.nextId();
        const created = await uploads.create(actor, { id, sizeBytes, ...readMetadata(metadata) });
        const upload = await withClaim(created, async (claim) => {
          const found = await uploads.look(actor, claim);
          if (withBytes)
            await uploads.append(actor, found, claim, bodyOf(request)).catch(async (error: unknown) => {
              // Nobody has been told its URL yet.
              if (error instanceof UploadAbortedError) await uploads.remove(claim);
              throw error;
            });
          return found;
        });
        return reply
          .code(201)
          .headers({
            // Relative to the request's own URL, which only the client knows behind a proxy.
            ...TUS,
            location: `uploads/${id}`,
            ...(withBytes && offsetOf(upload)),
            ...outcomeOf(upload),
          })
          .send(null);
      },
    );

    app.head(
      '/uploads/:uploadId',
      {
        config: { swagger: { exposeHeadRoute: true } },
        schema: {
          summary: 'Tell where a resumable upload stands',
          tags: TAGS,
          params: UploadParamsSchema,
          headers: RequestHeaders.any,
          response: { 200: Answers.head, ...problems(400, 401, 403, 404, 409, 410, 412, 413, 423) },
        },
        preHandler: assertCreator,
      },
      async (request, reply) => {
        assertProtocol('HEAD', request.headers);
        const claimed = await uploads.claim(request.params.uploadId);
        const upload = await withClaim(claimed, (claim) => uploads.look(request.actor, claim));
        return reply
          .code(200)
          .headers({
            ...TUS,
            'cache-control': 'no-store',
            ...offsetOf(upload),
            'upload-length': upload.sizeBytes,
            'upload-metadata': formatMetadata(writeMetadata(upload)),
            ...digestOf(upload),
          })
          .send(null);
      },
    );

    app.patch(
      '/uploads/:uploadId',
      {
        config: { lateBody: true, form: FormFileSchema },
        schema: {
          consumes: [BODY_TYPE],
          summary: 'Send bytes of a resumable upload; the last one publishes the artefact',
          tags: TAGS,
          params: UploadParamsSchema,
          headers: RequestHeaders.patch,
          response: { 204: Answers.patched, ...problems(400, 401, 403, 404, 409, 410, 412, 413, 415, 423, 507) },
        },
        preHandler: assertCreator,
      },
      async (request, reply) =>
        reply
          .code(204)
          .headers(await takeBytes(request))
          .send(null),
    );

    app.delete(
      '/uploads/:uploadId',
      {
        schema: {
          summary: 'Give up a resumable upload',
          tags: TAGS,
          params: UploadParamsSchema,
          headers: RequestHeaders.any,
          response: { 204: Answers.removed, ...problems(400, 401, 403, 404, 412, 423) },
        },
        preHandler: assertCreator,
      },
      async (request, reply) =>
        reply
          .code(204)
          .headers(await remove(request))
          .send(null),
    );

    app.post(
      '/uploads/:uploadId',
      {
        config: { lateBody: true, form: FormFileSchema },
        schema: {
          consumes: [BODY_TYPE],
          summary: 'Send bytes of a resumable upload, or give it up, where nothing but POST comes through',
          tags: TAGS,
          params: UploadParamsSchema,
          headers: RequestHeaders.override,
          response: { 204: Answers.patched, ...problems(400, 401, 403, 404, 409, 410, 412, 413, 415, 423, 507) },
        },
        preHandler: assertCreator,
      },
      async (request, reply) => {
        const answer = methodMeant(request.headers) === 'PATCH' ? takeBytes(request) : remove(request);
        return reply
          .code(204)
          .headers(await answer)
          .send(null);
      },
    );

    app.get(
      '/uploads/:uploadId',
      {
        exposeHeadRoute: false,
        schema: {
          summary: 'Read what is known of a resumable upload, and what came of it',
          tags: TAGS,
          params: UploadParamsSchema,
          response: { 200: UploadSchema, ...problems(401, 403, 404) },
        },
      },
      async (request, reply) => {
        const { target, result, ...upload } = await uploads.find(request.actor, request.params.uploadId);
        const { sizeBytes, receivedBytes, createdAt, expiresAt } = upload;
        const state = JSON.stringify({
          artefactId: target.id,
          format: target.format,
          size: sizeBytes,
          ...(receivedBytes !== undefined && { offset: receivedBytes }),
          createdAt,
          expiresAt,
          ...(result && { digest: result.digest }),
        });
        // The document is JSON already.
        const body = result ? `${state.slice(0, -1)},"artefact":${result.document}}` : state;
        return reply.type('application/json; charset=utf-8').send(body as never);
      },
    );

    /** Another's upload is refused before anything is asked of it. */
    async function assertCreator({ actor, params }: UploadRequest): Promise<void> {
      await uploads.find(actor, params.uploadId);
    }

    /** Returns the headers of the answer. */
    async function takeBytes(request: UploadRequest): Promise<AnswerHeaders> {
      const { actor, headers, params } = request;
      assertProtocol('PATCH', headers);
      const offset = readUploadOffset(headers);
      const upload = await withClaim(await uploads.claim(params.uploadId), async (claim) => {
        const found = await uploads.look(actor, claim);
        if (offset !== found.receivedBytes) {
          throw new UploadOffsetError('Upload-Offset is not where the upload stands: ask with HEAD, continue there.');
        }
        if (headers['upload-length'] !== undefined) {
          throw new TusExtensionError('Upload-Length is taken at the creation alone: leave it out.');
        }
        assertFits(headers, offset, found.sizeBytes);
        await uploads.append(actor, found, claim, bodyOf(request));
        return found;
      });
      return { ...TUS, ...offsetOf(upload), ...outcomeOf(upload) };
    }

    async function remove({ headers, params }: UploadRequest): Promise<AnswerHeaders> {
      assertProtocol('DELETE', headers);
      await withClaim(await uploads.claim(params.uploadId), (claim) => uploads.remove(claim));
      return TUS;
    }
  };
}

function bodyOf(request: FastifyRequest): ReadBody {
  return (write, signal) => readRawBody(request, write, signal);
}

/** @throws upload_too_large, before the body is read */
function assertFits(headers: IncomingHttpHeaders, offset: number, sizeBytes: number): void {
  if (offset + readBodyLength(headers) > sizeBytes) {
    throw new UploadTooLargeError(`The request has bytes beyond the ${sizeBytes} of Upload-Length.`);
  }
}

function offsetOf({ receivedBytes = 0 }: TusUpload): AnswerHeaders {
  return { 'upload-offset': receivedBytes };
}

function digestOf({ result }: TusUpload): AnswerHeaders {
  return result ? { 'x-artefact-digest': result.digest } : {};
}

/** The time until an upload ends counts from its last byte, which has come just now. */
function outcomeOf(upload: TusUpload): AnswerHeaders {
  if (upload.result) return digestOf(upload);
  return { 'upload-expires': new Date(Date.now() + EXPIRY_MS).toUTCString() };
}
