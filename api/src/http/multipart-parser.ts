// Splits a multipart/form-data body (RFC 7578, RFC 2046) into its parts while it arrives. part-headers.ts parses the
// headers of a part; multipart.ts decides which parts are allowed.

import { readPartHeaders, type PartHeaders } from './part-headers.ts';

/** Headers of real clients have about 200 bytes. */
const MAX_HEADER_BYTES = 16 * 1024;
const CR = 0x0d;
const DASHES = '--';

export interface PartHandler {
  /** Receives the next bytes of the part, as a view of the pushed chunk. */
  data(bytes: Buffer): void;
  end(): void;
}

export interface MultipartParser {
  /** Parses the next chunk. @throws MalformedBodyError, and errors of handlers; the parser is unusable afterwards */
  push(chunk: Buffer): void;
  /** Ends the body. @throws MalformedBodyError if the final boundary is missing */
  end(): void;
}

/** The body is not a multipart body, or incomplete. */
export class MalformedBodyError extends Error {
  override readonly name = 'MalformedBodyError';
}

/**
 * Creates a parser that copies headers only.
 * @param boundary from the content type
 * @param onPart called with the headers of each part, in order
 */
export function createMultipartParser(
  boundary: string,
  onPart: (headers: PartHeaders) => PartHandler,
): MultipartParser {
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  // The first delimiter lacks the initial line break.
  let matchedBytes = 2;
  let state: 'preamble' | 'delimited' | 'headers' | 'body' | 'ended' = 'preamble';
  let part: PartHandler | undefined;
  /** The rest of the delimiter's line, then the headers. */
  let text = '';

  /** Passes on the bytes up to the next delimiter, and returns the position after it. */
  function readBody(chunk: Buffer, at: number): number {
    if (matchedBytes > 0) {
      const nextBytes = Math.min(delimiter.length - matchedBytes, chunk.length - at);
      if (chunk.compare(delimiter, matchedBytes, matchedBytes + nextBytes, at, at + nextBytes) === 0) {
        matchedBytes += nextBytes;
        if (matchedBytes === delimiter.length) endPart();
        return at + nextBytes;
      }
      // The matched bytes were content. No delimiter can begin within them: only their start is a line break.
      part?.data(delimiter.subarray(0, matchedBytes));
      matchedBytes = 0;
    }
    const delimiterAt = chunk.indexOf(delimiter, at);
    if (delimiterAt >= 0) {
      if (delimiterAt > at) part?.data(chunk.subarray(at, delimiterAt));
      endPart();
      return delimiterAt + delimiter.length;
    }
    matchedBytes = delimiterAtEnd(chunk, at);
    const end = chunk.length - matchedBytes;
    if (end > at) part?.data(chunk.subarray(at, end));
    return chunk.length;
  }

  /** Counts the bytes at the end of a chunk that may be the start of a delimiter. */
  function delimiterAtEnd(chunk: Buffer, at: number): number {
    const start = chunk.lastIndexOf(CR);
    const bytes = chunk.length - start;
    return start >= at && bytes < delimiter.length && chunk.compare(delimiter, 0, bytes, start) === 0 ? bytes : 0;
  }

  function endPart(): void {
    part?.end();
    part = undefined;
    matchedBytes = 0;
    text = '';
    state = 'delimited';
  }

  /** Reads text up to `end`: the rest of the delimiter's line, or the headers. Returns the position after it. */
  function readText(chunk: Buffer, at: number, end: string): number {
    // `end` may have begun in the previous chunk.
    const previousLength = text.length;
    text += chunk.toString('latin1', at, Math.min(chunk.length, at + MAX_HEADER_BYTES));
    if (state === 'delimited' && text.startsWith(DASHES)) {
      state = 'ended';
      return chunk.length;
    }
    const endAt = text.indexOf(end, Math.max(0, previousLength - end.length + 1));
    if (endAt < 0) {
      if (text.length > MAX_HEADER_BYTES) throw new MalformedBodyError('headers larger than 16 KiB');
      return Math.min(chunk.length, at + MAX_HEADER_BYTES);
    }
    const next = at + endAt + end.length - previousLength;
    if (state === 'delimited') {
      // Spaces may pad the line (RFC 2046, 5.1.1). Its end also starts the headers, which may be empty.
      if (/[^ \t]/.test(text.slice(0, endAt))) throw new MalformedBodyError('no line break after a boundary');
      text = end;
      state = 'headers';
    } else {
      const headers = readPartHeaders(text.slice(0, endAt));
      if (!headers) throw new MalformedBodyError('malformed headers');
      part = onPart(headers);
      state = 'body';
    }
    return next;
  }

  return {
    push(chunk) {
      for (let at = 0; at < chunk.length;) {
        switch (state) {
          case 'preamble':
          case 'body':
            at = readBody(chunk, at);
            break;
          case 'delimited':
            at = readText(chunk, at, '\r\n');
            break;
          case 'headers':
            at = readText(chunk, at, '\r\n\r\n');
            break;
          // Ignore data after the final boundary.
          case 'ended':
            return;
        }
      }
    },
    end() {
      if (state !== 'ended') throw new MalformedBodyError('no final boundary');
    },
  };
}
