// Reads a multipart/form-data body with exactly one file, as a stream, and a few small text fields, in any order.

import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { BerthError } from '../errors.ts';
import { startBody } from './body.ts';
import { MediaTypeError, MultipartInvalidError, UploadAbortedError, UploadTooLargeError } from './errors.ts';

export interface MultipartOptions<Field extends string> {
  /** Text fields that the route takes; any other is refused. */
  fields: readonly Field[];
  /** Called with the file as soon as it begins; the body is read no faster than it consumes. */
  onFile: (file: MultipartFile) => Promise<void>;
}

export interface MultipartFile {
  content: Readable;
  /** As the client gave it, without any path; undefined when it gave none. */
  fileName: string | undefined;
}

/** The one file part's name. */
const FILE_FIELD = 'file';
/** Title and description in two languages, 2,000 characters each, fit with room. */
const MAX_FIELD_BYTES = 64 * 1024;
/** Held twice by each upload under way; larger buffers grow the server's memory and not its speed. */
const BUFFER_BYTES = 64 * 1024;

/** Lets routes of this scope take multipart bodies, which they read themselves with readMultipart. */
export function acceptMultipart(app: FastifyInstance): void {
  app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => { done(null); });
}

/**
 * Reads the body to its end and returns the fields.
 * @throws media_type_unsupported, multipart_invalid, upload_aborted, and whatever onFile throws, at once
 */
export async function readMultipart<Field extends string>(request: FastifyRequest, options: MultipartOptions<Field>): Promise<Partial<Record<Field, string>>> {
  const parser = createParser(request.headers);
  const fields = new Map<string, string>();
  let file: { content: Readable; consumed: Promise<void> } | undefined;

  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error) => {
      request.raw.unpipe(parser);
      request.raw.resume();
      file?.content.destroy(error);
      reject(error);
    };
    const onClose = () => { if (!request.raw.complete) fail(new UploadAbortedError('The connection closed before the whole body had arrived: send it again.')); };

    parser.on('field', (name, value, nameTruncated, valueTruncated) => {
      if (name === FILE_FIELD) return fail(fileAsText());
      if (nameTruncated || !(options.fields as readonly string[]).includes(name)) return fail(unknownField(name, options.fields));
      if (valueTruncated) return fail(new MultipartInvalidError(`The field ${name} is larger than ${MAX_FIELD_BYTES} bytes.`));
      if (fields.has(name)) return fail(new MultipartInvalidError(`The field ${name} was sent twice: send it once.`));
      fields.set(name, value);
    });
    parser.on('file', (name, content, fileName) => {
      content.on('error', () => undefined);
      if (name !== FILE_FIELD) return fail(unknownField(name, options.fields));
      if (file) return fail(new MultipartInvalidError('The body holds two files: send exactly one, in the field "file".'));
      file = { content, consumed: options.onFile({ content, fileName: fileName || undefined }) };
      file.consumed.catch(fail);
    });
    parser.on('error', () => fail(new MultipartInvalidError('The multipart body is malformed or ends too early: check its boundary and send it again.')));
    parser.on('finish', () => {
      if (file) file.consumed.then(resolve, reject);
      else fail(new MultipartInvalidError('The file is missing: send it in the field "file".'));
    });
    parser.on('fieldsLimit', () => fail(new MultipartInvalidError('The body has too many fields.')));
    parser.on('partsLimit', () => fail(new MultipartInvalidError('The body has too many parts.')));

    request.raw.once('close', onClose);
    // The client may have left while the caller was still looking things up: then 'close' has been told already.
    if (request.raw.destroyed && !request.raw.complete) return onClose();
    startBody(request);
    request.raw.pipe(parser);
  });
  return Object.fromEntries(fields) as Partial<Record<Field, string>>;
}

/** Reads a body whose one file is held in memory, at most `maxBytes` of it. @throws as readMultipart, and upload_too_large */
export async function readSmallFile(request: FastifyRequest, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  await readMultipart(request, {
    fields: [],
    onFile: async ({ content }) => {
      for await (const chunk of content as AsyncIterable<Uint8Array>) {
        sizeBytes += chunk.length;
        if (sizeBytes > maxBytes) throw new UploadTooLargeError(`The file is larger than the ${maxBytes} bytes that this route takes.`);
        chunks.push(chunk);
      }
    },
  });
  return Buffer.concat(chunks);
}

function createParser(headers: IncomingHttpHeaders): BusboyInstance {
  const contentType = headers['content-type'] ?? '';
  if (!/^multipart\/form-data\s*(;|$)/i.test(contentType)) throw new MediaTypeError('Send the upload as multipart/form-data with the file in the field "file".');
  try {
    return new Busboy({
      headers: { ...headers, 'content-type': contentType },
      highWaterMark: BUFFER_BYTES,
      fileHwm: BUFFER_BYTES,
      limits: { fieldNameSize: 100, fieldSize: MAX_FIELD_BYTES, fields: 20, parts: 24, headerPairs: 50 },
    });
  } catch {
    throw new MultipartInvalidError('The content type names no multipart boundary.');
  }
}

function fileAsText(): BerthError {
  return new MultipartInvalidError('The field "file" came as text, without a file name: send it as a file, as `curl -F file=@plugin.tgz` does.', { errors: [{ path: `/${FILE_FIELD}`, message: 'is not a file' }] });
}

function unknownField(name: string, known: readonly string[]): BerthError {
  return new MultipartInvalidError(`The form has an unknown field: this route takes ${[FILE_FIELD, ...known].join(', ')}.`, { errors: [{ path: `/${name}`, message: 'is not a field of this route' }] });
}
