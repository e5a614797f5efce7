// Reads and checks what requests of tus 1.0 (https://tus.io/protocols/resumable-upload) say in their headers.

import type { IncomingHttpHeaders } from 'node:http';
import { MediaTypeError } from '../http/index.ts';
import { TusExtensionError, TusHeaderInvalidError, TusVersionError } from './errors.ts';

export const TUS_VERSION = '1.0.0';
export const TUS_EXTENSIONS = ['creation', 'creation-with-upload', 'expiration', 'termination'] as const;
export const BODY_TYPE = 'application/offset+octet-stream';

/** Decoded: `{ id: '@acme/maps', format: 'file' }`; a key without a value is an empty text. */
export type Metadata = Record<string, string>;

/** ASCII without space and comma. */
const METADATA_PAIR = /^([!-+\--~]+)(?: ((?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?))?$/;

/**
 * Checks what tus asks of every request but OPTIONS.
 * @throws tus_version_unsupported, media_type_unsupported, tus_extension_unsupported
 */
export function assertProtocol(method: 'POST' | 'HEAD' | 'PATCH' | 'DELETE', headers: IncomingHttpHeaders): void {
  if (headers['tus-resumable'] !== TUS_VERSION) {
    const detail = `Send the header "Tus-Resumable: ${TUS_VERSION}".`;
    throw new TusVersionError(detail, { headers: { 'tus-version': TUS_VERSION } });
  }
  const takesBytes = method === 'PATCH' || (method === 'POST' && hasBody(headers));
  if (takesBytes && headers['content-type'] !== BODY_TYPE) throw new MediaTypeError(`Send the bytes as ${BODY_TYPE}.`);
  if (headers['upload-defer-length'] !== undefined) {
    throw new TusExtensionError('Uploads whose length is not known at first are not taken: send Upload-Length.');
  }
  if (headers['upload-concat'] !== undefined) {
    throw new TusExtensionError('Parallel parts are not taken: send the bytes of an upload one after the other.');
  }
}

/** Some networks let nothing but GET and POST through: then a header says what is meant. @throws tus_header_invalid */
export function methodMeant(headers: IncomingHttpHeaders): 'PATCH' | 'DELETE' {
  const method = String(headers['x-http-method-override']).toUpperCase();
  if (method === 'PATCH' || method === 'DELETE') return method;
  throw new TusHeaderInvalidError('A POST to an upload needs X-HTTP-Method-Override: PATCH or DELETE.');
}

/** Bytes of the whole upload. @throws tus_header_invalid */
export function readUploadLength(headers: IncomingHttpHeaders): number {
  const bytes = readNumber(headers['upload-length']);
  if (bytes !== undefined) return bytes;
  throw new TusHeaderInvalidError('Send Upload-Length, the number of bytes of the whole upload.');
}

/** Where the bytes of the request begin. @throws tus_header_invalid */
export function readUploadOffset(headers: IncomingHttpHeaders): number {
  const bytes = readNumber(headers['upload-offset']);
  if (bytes !== undefined) return bytes;
  throw new TusHeaderInvalidError('Send Upload-Offset, the number of the first byte that the request holds.');
}

/** Bytes of the body as far as they are announced: none where it comes in chunks. */
export function readBodyLength(headers: IncomingHttpHeaders): number {
  return Number(headers['content-length'] ?? 0);
}

/** Pairs of a key and a value in Base64; a space after a comma does no harm. @throws tus_header_invalid */
export function parseMetadata({ 'upload-metadata': header }: IncomingHttpHeaders): Metadata {
  const metadata = new Map<string, string>();
  for (const pair of header === undefined ? [] : String(header).split(',')) {
    const [, key, value = ''] = METADATA_PAIR.exec(pair.trim()) ?? [];
    if (key === undefined) {
      throw new TusHeaderInvalidError(`Upload-Metadata has "${pair.trim()}" in place of a key, a space and Base64.`);
    }
    if (metadata.has(key)) throw new TusHeaderInvalidError(`Upload-Metadata has the key ${key} twice.`);
    metadata.set(key, Buffer.from(value, 'base64').toString());
  }
  return Object.fromEntries(metadata);
}

export function formatMetadata(metadata: Metadata): string {
  const pairs = Object.entries(metadata);
  const encode = (value: string) => (value === '' ? '' : ` ${Buffer.from(value).toString('base64')}`);
  return pairs.map(([key, value]) => `${key}${encode(value)}`).join(',');
}

function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || readBodyLength(headers) > 0;
}

/** Undefined for what is no whole number in its usual form. */
function readNumber(header: string | string[] | undefined): number | undefined {
  const value = Number(header);
  return Number.isInteger(value) && value >= 0 && String(value) === header ? value : undefined;
}
