// Reads a multipart/form-data body with exactly one file, as a stream, and a few small text fields, in any order.

import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { BerthError } from '../errors.ts';
import { startBody } from './body.ts';
import { MediaTypeError, MultipartInvalidError, UploadAbortedError, UploadTooLargeError } from './errors.ts';
import { createMultipartParser, MalformedBodyError, type PartHandler } from './multipart-parser.ts';
import type { PartHeaders } from './part-headers.ts';

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
/**
 * Of a file, between the connection and the storage. With Node's 64 KiB each chunk that arrives fills it, and stops the connection until it is
 * written: an upload of 1 GiB takes nearly twice as long.
 */
const FILE_BUFFER_BYTES = 512 * 1024;
/** Title and description in two languages, 2,000 characters each, fit with room. */
const MAX_FIELD_BYTES = 64 * 1024;
/** `"…"` or a token; RFC 2046 allows 70 characters. */
const BOUNDARY = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i;
/** Without a file name and of this type, a part is a file all the same. */
const BINARY_TYPE = 'application/octet-stream';

/** Lets routes of this scope take multipart bodies, which they read themselves with readMultipart. */
export function acceptMultipart(app: FastifyInstance): void {
  app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => { done(null); });
}

/**
 * Reads the body to its end and returns the fields.
 * @throws media_type_unsupported, multipart_invalid, upload_aborted, and whatever onFile throws, at once
 */
export async function readMultipart<Field extends string>(request: FastifyRequest, options: MultipartOptions<Field>): Promise<Partial<Record<Field, string>>> {
  const boundary = readBoundary(request.headers['content-type'] ?? '');
  const body = request.raw;
  const fields = new Map<string, string>();
  let file: { content: Readable; consumed: Promise<void> } | undefined;

  await new Promise<void>((resolve, reject) => {
    const parser = createMultipartParser(boundary, (headers) => isFile(headers) ? beginFile(headers) : beginField(headers.name));

    function beginFile({ name, fileName }: PartHeaders): PartHandler {
      if (name !== FILE_FIELD) throw unknownField(name, options.fields);
      if (file) throw new MultipartInvalidError('The body holds two files: send exactly one, in the field "file".');
      const content = new Readable({ highWaterMark: FILE_BUFFER_BYTES, read() { body.resume(); } });
      content.on('error', () => undefined);
      file = { content, consumed: options.onFile({ content, fileName: fileName || undefined }) };
      // What is left of a file that its taker wants no more is dropped.
      file.consumed.then(() => content.resume(), fail);
      return {
        data(bytes) { if (!content.push(bytes)) body.pause(); },
        end() {
          content.push(null);
          // Whoever reads a stream that has ended asks for no more.
          body.resume();
        },
      };
    }

    function beginField(name: string): PartHandler {
      if (name === FILE_FIELD) throw fileAsText();
      if (!(options.fields as readonly string[]).includes(name)) throw unknownField(name, options.fields);
      if (fields.has(name)) throw new MultipartInvalidError(`The field ${name} was sent twice: send it once.`);
      const pieces: Buffer[] = [];
      let sizeBytes = 0;
      return {
        data(bytes) {
          sizeBytes += bytes.length;
          if (sizeBytes > MAX_FIELD_BYTES) throw new MultipartInvalidError(`The field ${name} is larger than ${MAX_FIELD_BYTES} bytes.`);
          pieces.push(bytes);
        },
        end() { fields.set(name, Buffer.concat(pieces).toString('utf8')); },
      };
    }

    function fail(error: Error): void {
      body.off('data', onData).off('end', onEnd).off('close', onClose);
      body.resume();
      const failure = error instanceof MalformedBodyError ? malformed(error) : error;
      file?.content.destroy(failure);
      reject(failure);
    }
    function onData(chunk: Buffer): void {
      try { parser.push(chunk); } catch (error) { fail(error as Error); }
    }
    function onEnd(): void {
      try {
        parser.end();
        if (!file) throw new MultipartInvalidError('The file is missing: send it in the field "file".');
        file.consumed.then(resolve, reject);
      } catch (error) {
        fail(error as Error);
      }
    }
    function onClose(): void {
      if (!body.complete) fail(new UploadAbortedError('The connection closed before the whole body had arrived: send it again.'));
    }

    // The client may have left while the caller was still looking things up: then 'close' has been told already.
    if (body.destroyed && !body.complete) return onClose();
    body.on('data', onData).once('end', onEnd).once('close', onClose);
    startBody(request);
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

function readBoundary(contentType: string): string {
  if (!/^multipart\/form-data\s*(;|$)/i.test(contentType)) throw new MediaTypeError('Send the upload as multipart/form-data with the file in the field "file".');
  const [, quoted, token] = BOUNDARY.exec(contentType) ?? [];
  const boundary = quoted ?? token;
  if (boundary === undefined) throw new MultipartInvalidError('The content type names no multipart boundary.');
  return boundary;
}

function isFile({ fileName, contentType }: PartHeaders): boolean { return fileName !== undefined || contentType === BINARY_TYPE; }

function malformed(cause: MalformedBodyError): BerthError {
  return new MultipartInvalidError('The multipart body is malformed or ends too early: check its boundary and send it again.', { cause });
}

function fileAsText(): BerthError {
  return new MultipartInvalidError('The field "file" came as text, without a file name: send it as a file, as `curl -F file=@plugin.tgz` does.', { errors: [{ path: `/${FILE_FIELD}`, message: 'is not a file' }] });
}

function unknownField(name: string, known: readonly string[]): BerthError {
  return new MultipartInvalidError(`The form has an unknown field: this route takes ${[FILE_FIELD, ...known].join(', ')}.`, { errors: [{ path: `/${name}`, message: 'is not a field of this route' }] });
}
