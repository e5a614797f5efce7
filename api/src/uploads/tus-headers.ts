// Parses and checks the request headers of tus 1.0 (https://tus.io/protocols/resumable-upload).

import type { IncomingHttpHeaders } from 'node:http';
import { quote } from '../errors.ts';
import { MediaTypeError } from '../http/index.ts';
import { TusExtensionError, TusHeaderInvalidError, TusVersionError } from './errors.ts';

export const TUS_VERSION = '1.0.0';
export const TUS_EXTENSIONS = ['creation', 'creation-with-upload', 'expiration', 'termination'] as const;
export const BODY_TYPE = 'application/offset+octet-stream';

/** Decoded pairs: `{ id: '@acme/maps', format: 'file' }`. A key without a value maps to an empty string. */
export type Metadata = Record<string, string>;

/** A key of ASCII characters except space and comma, then optionally a space and Base64. */
const METADATA_PAIR = /^([!-+\--~]+)(?: ((?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?))?$/;

/**
 * Checks the headers that tus requires of every request except OPTIONS.
 * @throws tus_version_unsupported, media_type_unsupported, tus_extension_unsupported
 */
export function assertProtocol(method: 'POST' | 'HEAD' | 'PATCH' | 'DELETE', headers: IncomingHttpHeaders): void {
  if (headers['tus-resumable'] !== TUS_VERSION) {
    const detail = `${found('Tus-Resumable', headers)}: send the header "Tus-Resumable: ${TUS_VERSION}".`;
    throw new TusVersionError(detail, { headers: { 'tus-version': TUS_VERSION } });
  }
  const takesBytes = method === 'PATCH' || (method === 'POST' && hasBody(headers));
  if (takesBytes && headers['content-type'] !== BODY_TYPE)
    throw new MediaTypeError(`${found('Content-Type', headers)}: send the bytes as ${BODY_TYPE}.`);
  if (headers['upload-defer-length'] !== undefined) {
    throw new TusExtensionError('Uploads of unknown length are not supported. Send Upload-Length.');
  }
  if (headers['upload-concat'] !== undefined) {
    throw new TusExtensionError('Parallel uploads are not supported. Send the bytes of an upload sequentially.');
  }
}

/**
 * Reads X-HTTP-Method-Override, for networks that block methods other than GET and POST. @throws tus_header_invalid
 */
export function readMethodOverride(headers: IncomingHttpHeaders): 'PATCH' | 'DELETE' {
  const method = String(headers['x-http-method-override']).toUpperCase();
  if (method === 'PATCH' || method === 'DELETE') return method;
  throw new TusHeaderInvalidError(
    `${found('X-HTTP-Method-Override', headers)}: a POST to an upload must have PATCH or DELETE in it.`,
  );
}

/** Reads the total length of the upload. @throws tus_header_invalid */
export function readUploadLength(headers: IncomingHttpHeaders): number {
  const bytes = readNumber(headers['upload-length']);
  if (bytes !== undefined) return bytes;
  throw new TusHeaderInvalidError(
    `${found('Upload-Length', headers)}: send the number of bytes of the whole upload in it.`,
  );
}

/** Reads the offset at which the bytes of the request start. @throws tus_header_invalid */
export function readUploadOffset(headers: IncomingHttpHeaders): number {
  const bytes = readNumber(headers['upload-offset']);
  if (bytes !== undefined) return bytes;
  throw new TusHeaderInvalidError(
    `${found('Upload-Offset', headers)}: send the offset at which the bytes of the request start in it.`,
  );
}

/** Reads the announced length of the body: 0 for chunked encoding. */
export function readBodyLength(headers: IncomingHttpHeaders): number {
  return Number(headers['content-length'] ?? 0);
}

/**
 * Parses pairs of a key and a Base64 value. Like tusd, allows white space around a pair, and passes over empty ones.
 * @throws tus_header_invalid
 */
export function parseMetadata({ 'upload-metadata': header }: IncomingHttpHeaders): Metadata {
  const metadata = new Map<string, string>();
  for (const [index, untrimmed] of String(header ?? '')
    .split(',')
    .entries()) {
    const pair = untrimmed.trim();
    if (pair === '') continue;
    const [, key, value = ''] = METADATA_PAIR.exec(pair) ?? [];
    if (key === undefined)
      throw new TusHeaderInvalidError(
        `Pair ${index + 1} of Upload-Metadata, ${quote(pair)}, is not a key, one space and a value in Base64: ` +
          'encode the value, as in "format ZmlsZQ==".',
      );
    if (metadata.has(key))
      throw new TusHeaderInvalidError(`Upload-Metadata has the key ${quote(key)} twice: send it once.`);
    metadata.set(key, Buffer.from(value, 'base64').toString());
  }
  return Object.fromEntries(metadata);
}

export function formatMetadata(metadata: Metadata): string {
  const pairs = Object.entries(metadata);
  const encode = (value: string) => (value === '' ? '' : ` ${Buffer.from(value).toString('base64')}`);
  return pairs.map(([key, value]) => `${key}${encode(value)}`).join(',');
}

function found(name: string, headers: IncomingHttpHeaders): string {
  const value = headers[name.toLowerCase()];
  return value === undefined ? `The request has no ${name}` : `${name} is ${quote(String(value))}`;
}

function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || readBodyLength(headers) > 0;
}

/** Parses a non-negative integer in canonical form; undefined for anything else. */
function readNumber(header: string | string[] | undefined): number | undefined {
  const value = Number(header);
  return Number.isInteger(value) && value >= 0 && String(value) === header ? value : undefined;
}
