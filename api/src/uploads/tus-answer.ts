// Between Fastify and @tus/server: what of a request the library sees, and how its answers and refusals go out.

import type { IncomingHttpHeaders } from 'node:http';
import { Server } from '@tus/server';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { UploadNotFoundError } from '../access/index.ts';
import { BerthError } from '../errors.ts';
import { MediaTypeError, readRawBody, UploadAbortedError, UploadTooLargeError } from '../http/index.ts';
import { TusExtensionError, TusHeaderInvalidError, TusVersionError, UploadGoneError, UploadMetadataInvalidError, UploadOffsetError } from './errors.ts';
import type { UploadService } from './service.ts';
import { TusStore } from './tus-store.ts';

export const TUS_VERSION = '1.0.0';
export const BODY_TYPE = 'application/offset+octet-stream';

/** What the library reads. The rest of the request is Berth's own business: hosts, origins, credentials. */
const REQUEST_HEADERS = ['tus-resumable', 'upload-length', 'upload-offset', 'upload-metadata', 'upload-defer-length', 'upload-concat', 'content-type', 'content-length'] as const;
/** What it may say. Of the headers that let pages of other origins in, none. */
const ANSWER_HEADERS = ['location', 'tus-resumable', 'tus-version', 'tus-extension', 'tus-max-size', 'upload-offset', 'upload-length', 'upload-metadata', 'upload-expires', 'cache-control'] as const;

/**
 * Answers one request of the tus protocol.
 *
 * @param id of an existing upload, which the caller must have been allowed to use; undefined for a new one
 * @throws a problem of Berth's for everything that the library refuses
 */
export async function answerTus(request: FastifyRequest, reply: FastifyReply, uploads: UploadService, { id, maxUploadBytes }: { id?: string; maxUploadBytes: number }): Promise<FastifyReply> {
  const method = methodOf(request);
  assertProtocol(method, request.headers);
  const uploadId = id ?? uploads.nextId();
  const store = new TusStore(uploads, { actor: request.actor, id: uploadId, isNew: id === undefined, readBody: (write, signal) => readRawBody(request, write, signal) });
  let failure: unknown;
  const server = new Server({
    path: '/uploads',
    datastore: store,
    locker: store,
    maxSize: maxUploadBytes,
    namingFunction: () => uploadId,
    // Relative to the request's own URL, which only the client knows behind a proxy.
    generateUrl: () => `uploads/${uploadId}`,
    onResponseError(_request, error) {
      failure = error;
      return undefined;
    },
  });
  const answer = await server.handleWeb(toWebRequest(method, request.headers, id));
  if (failure !== undefined) throw toProblem(failure);
  if (answer.status >= 400) throw new TusHeaderInvalidError(`${(await answer.text()).trim()}: see the protocol of tus 1.0.`);

  for (const name of ANSWER_HEADERS) {
    const value = answer.headers.get(name);
    if (value !== null) reply.header(name, value);
  }
  const { upload } = store;
  if (upload?.result) reply.header('x-artefact-digest', upload.result.digest);
  return reply.code(answer.status).send();
}

/** Some networks let nothing but GET and POST through: then a header says what is meant (tus 1.0, X-HTTP-Method-Override). */
function methodOf({ method, headers, params }: FastifyRequest): string {
  if (method !== 'POST' || !(params as { uploadId?: string }).uploadId) return method;
  const meant = String(headers['x-http-method-override']).toUpperCase();
  if (meant !== 'PATCH' && meant !== 'DELETE') throw new TusHeaderInvalidError('A POST to an upload needs X-HTTP-Method-Override: PATCH or DELETE.');
  return meant;
}

/** What tus asks of every request, so that it is refused in Berth's words. */
function assertProtocol(method: string, headers: IncomingHttpHeaders): void {
  if (method === 'OPTIONS') return;
  if (headers['tus-resumable'] !== TUS_VERSION) {
    throw new TusVersionError(`Send the header "Tus-Resumable: ${TUS_VERSION}".`, { headers: { 'tus-version': TUS_VERSION } });
  }
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  if ((method === 'PATCH' || (method === 'POST' && hasBody)) && headers['content-type'] !== BODY_TYPE) throw new MediaTypeError(`Send the bytes as ${BODY_TYPE}.`);
  if (headers['upload-defer-length'] !== undefined) throw new TusExtensionError('Uploads whose length is not known at first are not taken: send Upload-Length.');
  if (headers['upload-concat'] !== undefined) throw new TusExtensionError('Uploads in several parts at once are not taken: send the bytes of one upload one after the other.');
}

function toWebRequest(method: string, headers: IncomingHttpHeaders, id: string | undefined): Request {
  const seen = REQUEST_HEADERS.flatMap((name): [string, string][] => typeof headers[name] === 'string' ? [[name, headers[name]]] : []);
  return new Request(`http://tus.invalid/uploads${id === undefined ? '' : `/${id}`}`, { method, headers: seen });
}

function toProblem(failure: unknown): unknown {
  if (failure instanceof BerthError || typeof failure !== 'object' || failure === null || !('status_code' in failure)) return failure;
  const { status_code: status, body = '' } = failure as { status_code: number; body?: string };
  switch (status) {
    case 404: return new UploadNotFoundError('There is no upload here, or it is not yours: start a new one.');
    case 409: return new UploadOffsetError('Upload-Offset is not where the upload stands: ask with HEAD, and continue there.');
    case 410: return new UploadGoneError('The upload has expired: start a new one.');
    case 413: return new UploadTooLargeError('The upload is larger than this registry takes (Tus-Max-Size), or the request has more bytes than Upload-Length announced.');
    case 501: return new TusExtensionError('The request needs an extension of tus that Tus-Extension does not name.');
    case 400: return malformed(body);
    case 403: return new TusHeaderInvalidError('Send Upload-Offset, the number of the first byte that the request holds.');
    default: return failure;
  }
}

/** The library tells by its text alone what is wrong. */
function malformed(body: string): BerthError {
  if (body.startsWith('Upload-Metadata')) return new UploadMetadataInvalidError('Upload-Metadata is not a list of pairs "key base64-value" with a comma between, each key once.');
  if (body.startsWith('Request aborted')) return new UploadAbortedError('The connection closed before the whole body had arrived: ask where the upload stands, and continue there.');
  return new TusHeaderInvalidError('Send Upload-Length, the number of bytes of the whole upload.');
}
