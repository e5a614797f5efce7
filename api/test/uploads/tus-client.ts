// Uploads with tus-js-client, and single protocol requests for what that client does not send.

import assert from 'node:assert/strict';
import { DetailedError, Upload, type UploadOptions } from 'tus-js-client';
import type { Problem } from '../support/problems.ts';
import type { TestServer } from '../support/test-server.ts';

export interface TusForm {
  format?: 'npm' | 'file';
  file: Uint8Array;
  fields?: Record<string, string>;
}

/** A test server, in this process or its own. */
export type WithUrl = Pick<TestServer, 'url'>;

export const INTERNAL = { 'x-secret-key': 'internal-secret' };

export const endpointOf = ({ url }: WithUrl): string => `${url}/api/v1/uploads`;

/**
 * Uploads with tus-js-client as an internal service, to the end or to the first failure that its options do not retry.
 * Returns the upload's URL.
 */
export function tusUpload(
  server: WithUrl,
  id: string,
  { format = 'npm', file, fields = {} }: TusForm,
  options: UploadOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const upload = new Upload(Buffer.from(file), {
      ...(options.uploadUrl === undefined && { endpoint: endpointOf(server) }),
      retryDelays: [],
      headers: INTERNAL,
      metadata: { id, format, ...fields },
      onSuccess: () => {
        resolve(upload.url ?? '');
      },
      onError: reject,
      ...options,
    });
    upload.start();
  });
}

/** Uploads like `tusUpload` and asserts that the server rejects it with this status and code. */
export async function refusedTusUpload(
  server: WithUrl,
  id: string,
  form: TusForm,
  status: number,
  code: string,
  options: UploadOptions = {},
): Promise<Problem> {
  const error = await tusUpload(server, id, form, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DetailedError && error.originalResponse, `no refusal: ${String(error)}`);
  const problem = JSON.parse(error.originalResponse.getBody()) as Problem;
  assert.deepEqual(
    [error.originalResponse.getStatus(), problem.code],
    [status, code],
    error.originalResponse.getBody(),
  );
  assert.match(error.originalResponse.getHeader('content-type') ?? '', /^application\/problem\+json/);
  return problem;
}

export interface TusRequest {
  headers?: Record<string, string>;
  body?: Uint8Array;
  caller?: Record<string, string>;
}

/**
 * Sends one request of the protocol, by default as an internal service, with the media type of a body.
 */
export function tusRequest(
  method: string,
  url: string,
  { headers = {}, body, caller = INTERNAL }: TusRequest = {},
): Promise<Response> {
  return fetch(url, {
    method,
    headers: {
      'tus-resumable': '1.0.0',
      ...(body && { 'content-type': 'application/offset+octet-stream' }),
      ...caller,
      ...headers,
    },
    ...(body && { body }),
  });
}

export function metadataHeader(pairs: Record<string, string>): string {
  return Object.entries(pairs)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',');
}

/** Builds the headers of a creation request. */
export function creationHeaders(
  id: string,
  sizeBytes: number,
  { format = 'file', fields = {} }: { format?: string; fields?: Record<string, string> } = {},
): Record<string, string> {
  return { 'upload-length': String(sizeBytes), 'upload-metadata': metadataHeader({ id, format, ...fields }) };
}

/** Creates an upload without bytes and returns its URL. */
export async function createUpload(
  server: WithUrl,
  id: string,
  sizeBytes: number,
  {
    format = 'file',
    fields = {},
    caller = INTERNAL,
  }: { format?: string; fields?: Record<string, string>; caller?: Record<string, string> } = {},
): Promise<string> {
  const response = await tusRequest('POST', endpointOf(server), {
    caller,
    headers: creationHeaders(id, sizeBytes, { format, fields }),
  });
  assert.equal(response.status, 201, await response.text());
  return urlOf(server, response);
}

/** Resolves the URL in a response's `Location`. */
export function urlOf(server: WithUrl, response: Response): string {
  return new URL(response.headers.get('location') ?? '', endpointOf(server)).href;
}

export function patchUpload(
  url: string,
  offset: number,
  body: Uint8Array,
  caller?: Record<string, string>,
): Promise<Response> {
  return tusRequest('PATCH', url, { headers: { 'upload-offset': String(offset) }, body, ...(caller && { caller }) });
}

/** Queries the offset of an upload. */
export async function offsetOf(url: string, caller?: Record<string, string>): Promise<number> {
  const response = await tusRequest('HEAD', url, caller && { caller });
  assert.equal(response.status, 200);
  return Number(response.headers.get('upload-offset'));
}
