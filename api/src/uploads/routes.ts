import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { acceptRawBody, FormFileSchema, problems, readRawBody, UploadTooLargeError } from '../http/index.ts';
import { withClaim } from './claims.ts';
import { TusExtensionError, UploadOffsetError } from './errors.ts';
import { readMetadata, writeMetadata } from './operations.ts';
import { Responses, RequestHeaders, UploadParamsSchema, UploadSchema } from './schemas.ts';
import type { ReadBody, TusUploadService } from './service.ts';
import {
  assertProtocol,
  BODY_TYPE,
  formatMetadata,
  readMethodOverride,
  parseMetadata,
  readBodyLength,
  readUploadLength,
  readUploadOffset,
  TUS_EXTENSIONS,
  TUS_VERSION,
} from './tus-headers.ts';
import { EXPIRY_MS, type TusUpload } from './upload.ts';

type ResponseHeaders = Record<string, string | number>;
type UploadRequest = FastifyRequest<{ Params: { uploadId: string } }>;

const TAGS = ['resumable uploads'];
const TUS = { 'tus-resumable': TUS_VERSION };

/** tus 1.0 (https://tus.io/protocols/resumable-upload), plus one route that returns the result of an upload. */
export function uploadRoutes(uploads: TusUploadService, maxUploadBytes: number): FastifyPluginAsyncTypebox {
  return async (app) => {
    acceptRawBody(app);

    // The addresses of most tus servers end with a slash, and so do many settings of clients.
    for (const path of ['/uploads', '/uploads/']) {
      const hide = path.endsWith('/');
      app.options(
        path,
        {
          schema: {
            hide,
            summary: 'Get the supported tus version and extensions',
            tags: TAGS,
            response: { 204: Responses.options },
          },
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
        path,
        {
          config: { lateBody: true, form: FormFileSchema },
          schema: {
            hide,
            consumes: [BODY_TYPE],
            summary: 'Start a resumable upload',
            tags: TAGS,
            headers: RequestHeaders.creation,
            response: { 201: Responses.created, ...problems(400, 401, 403, 409, 412, 413, 415, 429, 501, 507) },
          },
        },
        // Relative to the request's URL: behind a proxy only the client knows the absolute one.
        async (request, reply) =>
          reply
            .code(201)
            .headers(await create(request, hide ? '' : 'uploads/'))
            .send(null),
      );
    }

    app.head(
      '/uploads/:uploadId',
      {
        config: { swagger: { exposeHeadRoute: true } },
        schema: {
          summary: 'Get the offset of a resumable upload',
          tags: TAGS,
          params: UploadParamsSchema,
          headers: RequestHeaders.any,
          response: { 200: Responses.head, ...problems(400, 401, 403, 404, 409, 410, 412, 413, 423) },
        },
        preHandler: assertCreator,
      },
      async (request, reply) => {
        assertProtocol('HEAD', request.headers);
        const claimed = await uploads.claim(request.params.uploadId);
        const upload = await withClaim(claimed, (claim) => uploads.inspect(request.actor, claim));
        return reply
          .code(200)
          .headers({
            ...TUS,
            'cache-control': 'no-store',
            ...offsetHeader(upload),
            'upload-length': upload.sizeBytes,
            'upload-metadata': formatMetadata(writeMetadata(upload)),
            ...digestHeader(upload),
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
          summary: 'Append bytes to a resumable upload; the last one publishes the artefact',
          tags: TAGS,
          params: UploadParamsSchema,
          headers: RequestHeaders.patch,
          response: { 204: Responses.patched, ...problems(400, 401, 403, 404, 409, 410, 412, 413, 415, 423, 507) },
        },
        preHandler: assertCreator,
      },
      async (request, reply) =>
        reply
          .code(204)
          .headers(await receiveBytes(request))
          .send(null),
    );

    app.delete(
      '/uploads/:uploadId',
      {
        schema: {
          summary: 'Cancel a resumable upload',
          tags: TAGS,
          params: UploadParamsSchema,
          headers: RequestHeaders.any,
          response: { 204: Responses.removed, ...problems(400, 401, 403, 404, 412, 423) },
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
          summary: 'Append to or cancel a resumable upload by POST, for networks that block PATCH and DELETE',
          tags: TAGS,
          params: UploadParamsSchema,
          headers: RequestHeaders.override,
          response: { 204: Responses.patched, ...problems(400, 401, 403, 404, 409, 410, 412, 413, 415, 423, 507) },
        },
        preHandler: assertCreator,
      },
      async (request, reply) => {
        const headers = readMethodOverride(request.headers) === 'PATCH' ? receiveBytes(request) : remove(request);
        return reply
          .code(204)
          .headers(await headers)
          .send(null);
      },
    );

    app.get(
      '/uploads/:uploadId',
      {
        exposeHeadRoute: false,
        schema: {
          summary: 'Get the state and the result of a resumable upload',
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

    /** Returns the response headers. @param folder of uploads, relative to the URL of the request */
    async function create(request: FastifyRequest, folder: string): Promise<ResponseHeaders> {
      const { actor, headers } = request;
      assertProtocol('POST', headers);
      const sizeBytes = readUploadLength(headers);
      const metadata = parseMetadata(headers);
      if (sizeBytes > maxUploadBytes) {
        throw new UploadTooLargeError(
          `The upload announces ${sizeBytes} bytes, but this registry accepts at most ${maxUploadBytes} ` +
            '(MAX_UPLOAD_BYTES).',
        );
      }
      assertFits(headers, 0, sizeBytes);
      const withBytes = headers['content-type'] === BODY_TYPE;
      const id = uploads.newId();
      const created = await uploads.create(actor, { id, sizeBytes, ...readMetadata(metadata) });
      const upload = await withClaim(created, async (claim) => {
        const inspected = await uploads.inspect(actor, claim);
        if (withBytes)
          await uploads.append(actor, inspected, claim, bodyOf(request)).catch(async (error: unknown) => {
            await uploads.abandon(claim);
            throw error;
          });
        return inspected;
      });
      return {
        ...TUS,
        location: `${folder}${id}`,
        ...(withBytes && offsetHeader(upload)),
        ...outcomeHeaders(upload),
      };
    }

    /** Rejects uploads of other callers before anything else is checked. */
    async function assertCreator({ actor, params }: UploadRequest): Promise<void> {
      await uploads.find(actor, params.uploadId);
    }

    /** Appends the request's bytes and returns the response headers. */
    async function receiveBytes(request: UploadRequest): Promise<ResponseHeaders> {
      const { actor, headers, params } = request;
      assertProtocol('PATCH', headers);
      const offset = readUploadOffset(headers);
      const upload = await withClaim(await uploads.claim(params.uploadId), async (claim) => {
        const inspected = await uploads.inspect(actor, claim);
        if (offset !== inspected.receivedBytes) {
          throw new UploadOffsetError(
            `Upload-Offset is ${offset}, but the upload has ${inspected.receivedBytes ?? 0} bytes: query its ` +
              'offset with HEAD and continue there.',
          );
        }
        if (headers['upload-length'] !== undefined) {
          throw new TusExtensionError('Upload-Length is only accepted when the upload is created. Omit it.');
        }
        assertFits(headers, offset, inspected.sizeBytes);
        await uploads.append(actor, inspected, claim, bodyOf(request));
        return inspected;
      });
      return { ...TUS, ...offsetHeader(upload), ...outcomeHeaders(upload) };
    }

    async function remove({ actor, headers, params }: UploadRequest): Promise<ResponseHeaders> {
      assertProtocol('DELETE', headers);
      await withClaim(await uploads.claim(params.uploadId), (claim) => uploads.remove(actor, claim));
      return TUS;
    }
  };
}

function bodyOf(request: FastifyRequest): ReadBody {
  return (write, signal) => readRawBody(request, write, signal);
}

/** Checks the announced body length before the body is read. @throws upload_too_large */
function assertFits(headers: IncomingHttpHeaders, offset: number, sizeBytes: number): void {
  if (offset + readBodyLength(headers) > sizeBytes) {
    throw new UploadTooLargeError(`The request exceeds the ${sizeBytes} bytes announced by Upload-Length.`);
  }
}

function offsetHeader({ receivedBytes = 0 }: TusUpload): ResponseHeaders {
  return { 'upload-offset': receivedBytes };
}

function digestHeader({ result }: TusUpload): ResponseHeaders {
  return result ? { 'x-artefact-digest': result.digest } : {};
}

/** Returns the digest of a published upload, or the expiry of an unfinished one, counted from its last byte: now. */
function outcomeHeaders(upload: TusUpload): ResponseHeaders {
  if (upload.result) return digestHeader(upload);
  return { 'upload-expires': new Date(Date.now() + EXPIRY_MS).toUTCString() };
}
