// Reads a multipart/form-data body with exactly one file, as a stream, and a few small text fields, in any order.

import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { BerthError } from '../errors.ts';
import { startBody } from './body.ts';
import { MediaTypeError, MultipartInvalidError, UploadAbortedError, UploadTooLargeError } from './errors.ts';
import { createMultipartParser, MalformedBodyError, type PartHandler } from './multipart-parser.ts';
import type { PartHeaders } from './part-headers.ts';

/** A part of a form: its one file, as a stream, or a text field. */
export type FormPart<Field extends string> = FormFile | { name: Field; text: string };

export interface FormFile {
  name: 'file';
  content: Readable;
  /** As the client gave it, without any path; undefined when it gave none. */
  fileName: string | undefined;
}

/** The one file part's name. */
const FILE_FIELD = 'file';
/**
 * Of a file, between the connection and the storage. With Node's 64 KiB each chunk that arrives fills it, and stops
 * the connection until it is written: an upload of 1 GiB takes nearly twice as long. /
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
  app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => {
    done(null);
  });
}

/**
 * Reads the parts of a form as they arrive, once the first one is asked for. The body is read no faster than its file
 * is; what is left of the file when the next part is asked for is dropped.
 *
 * @param fields text fields that the route takes; any other is refused
 * @throws media_type_unsupported, multipart_invalid, upload_aborted; the file's stream fails with the same /
 */
export async function* readMultipart<Field extends string>(
  request: FastifyRequest,
  fields: readonly Field[],
): AsyncGenerator<FormPart<Field>, void> {
  const parser = createMultipartParser(readBoundary(request.headers['content-type'] ?? ''), (headers) =>
    isFile(headers) ? beginFile(headers) : beginField(headers.name),
  );
  const body = request.raw;
  const seen = new Set<string>();
  const parts: FormPart<Field>[] = [];
  let content: Readable | undefined;
  let failure: Error | undefined;
  let isAtEnd = false;
  let news = Promise.withResolvers<void>();

  function beginFile({ name, fileName }: PartHeaders): PartHandler {
    if (name !== FILE_FIELD) throw unknownField(name, fields);
    if (content) throw new MultipartInvalidError('The body holds two files: send exactly one, in the field "file".');
    const stream = (content = new Readable({
      highWaterMark: FILE_BUFFER_BYTES,
      read() {
        body.resume();
      },
    }));
    stream.on('error', () => undefined);
    add({ name: FILE_FIELD, content: stream, fileName: fileName || undefined });
    return {
      data(bytes) {
        if (!stream.push(bytes)) body.pause();
      },
      end() {
        stream.push(null);
        // Whoever reads a stream that has ended asks for no more.
        body.resume();
      },
    };
  }

  function beginField(name: string): PartHandler {
    if (name === FILE_FIELD) throw fileAsText();
    const field = fields.find((known) => known === name);
    if (field === undefined) throw unknownField(name, fields);
    if (seen.has(name)) throw new MultipartInvalidError(`The field ${name} was sent twice: send it once.`);
    seen.add(name);
    const pieces: Buffer[] = [];
    let sizeBytes = 0;
    return {
      data(bytes) {
        sizeBytes += bytes.length;
        if (sizeBytes > MAX_FIELD_BYTES)
          throw new MultipartInvalidError(`The field ${name} is larger than ${MAX_FIELD_BYTES} bytes.`);
        pieces.push(bytes);
      },
      end() {
        add({ name: field, text: Buffer.concat(pieces).toString('utf8') });
      },
    };
  }

  function add(part: FormPart<Field>): void {
    parts.push(part);
    news.resolve();
  }
  function fail(error: Error): void {
    stop();
    failure = error instanceof MalformedBodyError ? malformed(error) : error;
    content?.destroy(failure);
    news.resolve();
  }
  function stop(): void {
    body.off('data', onData).off('end', onEnd).off('close', onClose);
    body.resume();
  }
  function onData(chunk: Buffer): void {
    try {
      parser.push(chunk);
    } catch (error) {
      fail(error as Error);
    }
  }
  function onEnd(): void {
    try {
      parser.end();
      if (!content) throw new MultipartInvalidError('The file is missing: send it in the field "file".');
      isAtEnd = true;
      news.resolve();
    } catch (error) {
      fail(error as Error);
    }
  }
  function onClose(): void {
    if (!body.complete) fail(clientLeft());
  }

  try {
    // The client may have left while the caller was still looking things up: then nothing will come any more, however
    // much has arrived.
    if (body.destroyed) fail(clientLeft());
    else body.on('data', onData).once('end', onEnd).once('close', onClose);
    startBody(request);
    for (;;) {
      const part = parts.shift();
      if (failure) throw failure;
      if (part) {
        yield part;
        if ('content' in part) part.content.resume();
      } else if (isAtEnd) {
        return;
      } else {
        await news.promise;
        news = Promise.withResolvers();
      }
    }
  } finally {
    stop();
    content?.destroy();
  }
}

/**
 * Reads a body whose one file is held in memory, at most `maxBytes` of it.
 * @throws as readMultipart, and upload_too_large
 */
export async function readSmallFile(request: FastifyRequest, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const { content } of readMultipart(request, []) as AsyncIterable<FormFile>) {
    for await (const chunk of content as AsyncIterable<Uint8Array>) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes)
        throw new UploadTooLargeError(`The file is larger than the ${maxBytes} bytes that this route takes.`);
      chunks.push(chunk);
    }
  }
  return Buffer.concat(chunks);
}

function readBoundary(contentType: string): string {
  if (!/^multipart\/form-data\s*(;|$)/i.test(contentType))
    throw new MediaTypeError('Send the upload as multipart/form-data with the file in the field "file".');
  const [, quoted, token] = BOUNDARY.exec(contentType) ?? [];
  const boundary = quoted ?? token;
  if (boundary === undefined) throw new MultipartInvalidError('The content type names no multipart boundary.');
  return boundary;
}

function clientLeft(): BerthError {
  return new UploadAbortedError('The connection closed before the whole body had arrived: send it again.');
}

function isFile({ fileName, contentType }: PartHeaders): boolean {
  return fileName !== undefined || contentType === BINARY_TYPE;
}

function malformed(cause: MalformedBodyError): BerthError {
  return new MultipartInvalidError(
    'The multipart body is malformed or ends too early: check its boundary and send it again.',
    { cause },
  );
}

function fileAsText(): BerthError {
  return new MultipartInvalidError(
    'The field "file" came as text, without a file name: send it as a file, as `curl -F file=@plugin.tgz` does.',
    { errors: [{ path: `/${FILE_FIELD}`, message: 'is not a file' }] },
  );
}

function unknownField(name: string, known: readonly string[]): BerthError {
  return new MultipartInvalidError(
    `The form has an unknown field: this route takes ${[FILE_FIELD, ...known].join(', ')}.`,
    { errors: [{ path: `/${name}`, message: 'is not a field of this route' }] },
  );
}
