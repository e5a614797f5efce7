// Reads a multipart/form-data body with exactly one file, as a stream, and small text fields, in any order.

import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { BerthError, quote } from '../errors.ts';
import { limitBodyTime, startBody } from './body.ts';
import { MultipartInvalidError, UploadAbortedError, UploadTooLargeError } from './errors.ts';
import { createMultipartParser, MalformedBodyError, type PartHandler } from './multipart-parser.ts';
import type { PartHeaders } from './part-headers.ts';

/** A part of a form: its file, as a stream, or a text field. */
export type FormPart<Field extends string> = FormFile | { name: Field; text: string };

export interface FormFile {
  name: 'file';
  content: Readable;
  /** As sent by the client, without any path; undefined if there is none. */
  fileName: string | undefined;
}

/** Name of the file's field. */
const FILE_FIELD = 'file';
/**
 * Buffer between connection and storage. With Node's default of 64 KiB, each received chunk fills it and pauses the
 * connection until it is written: an upload of 1 GiB takes nearly twice as long.
 */
const FILE_BUFFER_BYTES = 512 * 1024;
/** Enough for title and description in two languages, 2,000 characters each. */
const MAX_FIELD_BYTES = 64 * 1024;
/** How much longer than other bodies a small file may take: 5 MiB in two minutes are 350 kbit/s. */
const SMALL_FILE_TIMEOUT_FACTOR = 4;
/** `"…"` or a token; RFC 2046 allows 70 characters. */
const BOUNDARY = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i;
/** A part of this type is a file even without a file name. */
const BINARY_TYPE = 'application/octet-stream';

/**
 * Yields the parts of a form as they arrive; starts reading when the first one is requested. Backpressure: the body is
 * read no faster than the file. Unread content of the file is discarded when the next part is requested. Empty text
 * fields are left out: shells send them for variables that are not set.
 *
 * @param fields text fields that the route accepts; any other is rejected
 * @throws multipart_invalid, upload_aborted; the file's stream fails with the same errors
 */
export async function* readMultipart<Field extends string>(
  request: FastifyRequest,
  fields: readonly Field[],
): AsyncGenerator<FormPart<Field>, void> {
  const parser = createMultipartParser(readBoundary(request.headers['content-type'] ?? ''), (headers) => {
    if (headers.encoding !== undefined) throw encodedPart(headers.name);
    if (headers.unreadableName !== undefined) throw unreadableName(headers.unreadableName);
    return isFile(headers) ? beginFile(headers) : beginField(headers.name);
  });
  const body = request.raw;
  const receivedFields = new Set<string>();
  const parts: FormPart<Field>[] = [];
  let content: Readable | undefined;
  let failure: Error | undefined;
  let isAtEnd = false;
  let changed = Promise.withResolvers<void>();

  function beginFile({ name, fileName }: PartHeaders): PartHandler {
    if (name !== FILE_FIELD) throw unknownField(name, fields);
    if (content)
      throw new MultipartInvalidError('The body contains two files: send exactly one, in the field "file".');
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
        // read() is not called after the end of the stream.
        body.resume();
      },
    };
  }

  function beginField(name: string): PartHandler {
    if (name === FILE_FIELD) throw fileAsText();
    const field = fields.find((known) => known === name);
    if (field === undefined) throw unknownField(name, fields);
    if (receivedFields.has(name)) throw new MultipartInvalidError(`The field ${name} was sent twice: send it once.`);
    receivedFields.add(name);
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    return {
      data(bytes) {
        sizeBytes += bytes.length;
        if (sizeBytes > MAX_FIELD_BYTES)
          throw new MultipartInvalidError(`The field ${name} is larger than ${MAX_FIELD_BYTES} bytes: shorten it.`);
        chunks.push(bytes);
      },
      end() {
        if (sizeBytes > 0) add({ name: field, text: Buffer.concat(chunks).toString('utf8') });
      },
    };
  }

  function add(part: FormPart<Field>): void {
    parts.push(part);
    changed.resolve();
  }
  function fail(error: Error): void {
    stop();
    failure = error instanceof MalformedBodyError ? malformed(error) : error;
    content?.destroy(failure);
    changed.resolve();
  }
  function stop(): void {
    body.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onError);
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
      changed.resolve();
    } catch (error) {
      fail(error as Error);
    }
  }
  function onError(error: Error): void {
    fail(error instanceof BerthError ? error : connectionClosed());
  }
  function onClose(): void {
    if (!body.complete) fail(connectionClosed());
  }

  try {
    // If the client disconnected before this call, no event will come any more.
    if (body.destroyed) fail(connectionClosed());
    else body.on('data', onData).once('end', onEnd).once('close', onClose).once('error', onError);
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
        await changed.promise;
        changed = Promise.withResolvers();
      }
    }
  } finally {
    stop();
    content?.destroy();
  }
}

/**
 * Reads a form with only a file into memory, up to `maxBytes`, within four times the time of other bodies.
 * @throws as readMultipart, and upload_too_large, request_timeout
 */
export async function readSmallFile(request: FastifyRequest, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  limitBodyTime(request, SMALL_FILE_TIMEOUT_FACTOR * request.server.bodyTimeoutMs);
  for await (const { content } of readMultipart(request, []) as AsyncIterable<FormFile>) {
    for await (const chunk of content as AsyncIterable<Uint8Array>) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes)
        throw new UploadTooLargeError(`The file is larger than ${maxBytes} bytes, the limit of this route.`);
      chunks.push(chunk);
    }
  }
  return Buffer.concat(chunks);
}

function readBoundary(contentType: string): string {
  if (!/^multipart\/form-data\s*(;|$)/i.test(contentType))
    throw new MultipartInvalidError(
      `The content type is ${contentType === '' ? 'missing' : quote(contentType)}: send the upload as ` +
        'multipart/form-data with the file in the field "file".',
    );
  const [, quoted, token] = BOUNDARY.exec(contentType) ?? [];
  const boundary = quoted ?? token;
  if (boundary === undefined)
    throw new MultipartInvalidError(
      `The content type ${quote(contentType)} lacks the boundary: let the HTTP client set this header.`,
    );
  return boundary;
}

function connectionClosed(): BerthError {
  return new UploadAbortedError('The connection closed before the whole body arrived: send it again.');
}

function isFile({ fileName, contentType }: PartHeaders): boolean {
  return fileName !== undefined || contentType === BINARY_TYPE;
}

function malformed(cause: MalformedBodyError): BerthError {
  return new MultipartInvalidError(
    'The multipart body is malformed or incomplete: check its boundary and send it again.',
    { cause },
  );
}

function fileAsText(): BerthError {
  return new MultipartInvalidError(
    'The field "file" is text, without a file name: send it as a file, as `curl -F file=@plugin.tgz` does.',
    { errors: [{ path: `/${FILE_FIELD}`, message: 'is not a file' }] },
  );
}

function unreadableName(value: string): BerthError {
  return new MultipartInvalidError(
    `The name of the file cannot be read, filename*=${quote(value)}: send it as filename="…" in UTF-8, or as ` +
      "filename*=UTF-8''… with percent-encoded UTF-8.",
    { errors: [{ path: `/${FILE_FIELD}`, message: 'has a name that cannot be read' }] },
  );
}

/** RFC 7578, 4.7, deprecates encodings. Stored as they are, encoded bytes would not be those of the file. */
function encodedPart(name: string): BerthError {
  return new MultipartInvalidError(
    'A part of the form has a Content-Transfer-Encoding other than binary, 8bit or 7bit: send it as it is.',
    { errors: [{ path: `/${name}`, message: 'is encoded' }] },
  );
}

function unknownField(name: string, known: readonly string[]): BerthError {
  return new MultipartInvalidError(
    `The form has the unknown field ${quote(name)}: this route accepts ${[FILE_FIELD, ...known].join(', ')}.`,
    { errors: [{ path: `/${name}`, message: 'is not a field of this route' }] },
  );
}
