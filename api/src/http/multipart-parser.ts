// Splits a multipart/form-data body (RFC 7578, RFC 2046) into its parts while it arrives. What parts are allowed, and
// where their bytes go, is multipart.ts's business; what their headers say, part-headers.ts's.

import { readPartHeaders, type PartHeaders } from './part-headers.ts';

/** Those of real clients have some 200 bytes. */
const MAX_HEADER_BYTES = 16 * 1024;
const CR = 0x0d;
const DASHES = '--';

export interface PartHandler {
  /** Takes the next bytes of the part; a view of the chunk that was pushed. */
  data(bytes: Buffer): void;
  end(): void;
}

export interface MultipartParser {
  /** Reads on. @throws MalformedBodyError, and what the handlers throw; the parser is of no use afterwards */
  push(chunk: Buffer): void;
  /** Ends the body. @throws MalformedBodyError when it lacks its last boundary */
  end(): void;
}

/** The body is no multipart body, or not a whole one. */
export class MalformedBodyError extends Error {
  override readonly name = 'MalformedBodyError';
}

/**
 * Creates a parser that copies nothing but headers.
 * @param boundary as the content type names it
 * @param onPart called with the headers of each part, in their order
 */
export function createMultipartParser(
  boundary: string,
  onPart: (headers: PartHeaders) => PartHandler,
): MultipartParser {
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  // The line break that begins a delimiter is left out before the first part.
  let matchedBytes = 2;
  let state: 'preamble' | 'delimited' | 'headers' | 'body' | 'ended' = 'preamble';
  let part: PartHandler | undefined;
  /** What stands behind a delimiter on its line, then the headers. */
  let text = '';

  /** Hands over what comes before the next delimiter and returns where reading goes on. */
  function takeBody(chunk: Buffer, at: number): number {
    if (matchedBytes > 0) {
      const takenBytes = Math.min(delimiter.length - matchedBytes, chunk.length - at);
      if (chunk.compare(delimiter, matchedBytes, matchedBytes + takenBytes, at, at + takenBytes) === 0) {
        matchedBytes += takenBytes;
        if (matchedBytes === delimiter.length) endPart();
        return at + takenBytes;
      }
      // It was content that looked like a delimiter. No other one can begin within it: a line break is only at its
      // start.
      part?.data(delimiter.subarray(0, matchedBytes));
      matchedBytes = 0;
    }
    const found = chunk.indexOf(delimiter, at);
    if (found >= 0) {
      if (found > at) part?.data(chunk.subarray(at, found));
      endPart();
      return found + delimiter.length;
    }
    matchedBytes = delimiterAtEnd(chunk, at);
    const end = chunk.length - matchedBytes;
    if (end > at) part?.data(chunk.subarray(at, end));
    return chunk.length;
  }

  /** Counts the bytes at the end of a chunk with which a delimiter may begin. */
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

  /** Reads up to the end of the line of a delimiter, and from there to the empty line after the headers. */
  function takeText(chunk: Buffer, at: number, end: string): number {
    // The end may have begun in the chunk before.
    const known = text.length;
    text += chunk.toString('latin1', at, Math.min(chunk.length, at + MAX_HEADER_BYTES));
    if (state === 'delimited' && text.startsWith(DASHES)) {
      state = 'ended';
      return chunk.length;
    }
    const found = text.indexOf(end, Math.max(0, known - end.length + 1));
    if (found < 0) {
      if (text.length > MAX_HEADER_BYTES) throw new MalformedBodyError('endless headers');
      return Math.min(chunk.length, at + MAX_HEADER_BYTES);
    }
    const next = at + found + end.length - known;
    if (state === 'delimited') {
      // Spaces may pad the line (RFC 2046, 5.1.1). Its end is the start of the headers: there may be none.
      if (/[^ \t]/.test(text.slice(0, found))) throw new MalformedBodyError('no end of the line after a boundary');
      text = end;
      state = 'headers';
    } else {
      const headers = readPartHeaders(text.slice(0, found));
      if (!headers) throw new MalformedBodyError('headers that cannot be read');
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
            at = takeBody(chunk, at);
            break;
          case 'delimited':
            at = takeText(chunk, at, '\r\n');
            break;
          case 'headers':
            at = takeText(chunk, at, '\r\n\r\n');
            break;
          // What follows the last boundary means nothing.
          case 'ended':
            return;
        }
      }
    },
    end() {
      if (state !== 'ended') throw new MalformedBodyError('no last boundary');
    },
  };
}
