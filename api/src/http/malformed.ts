// Requests that Node's parser gives up on: no route and no reply exist for them, only their socket.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { BerthError } from '../errors.ts';
import { HeadersTooLargeError, RequestInvalidError, RequestTimeoutError } from './errors.ts';

/** Answers with a problem document, as far as the client still listens, and hangs up. */
export function answerMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code !== 'ECONNRESET' && socket.writable) {
    const { status, title, message: detail, code } = toRefusal(error);
    const body = JSON.stringify({ status, title, detail, code });
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  }
  socket.destroy(error);
}

function toRefusal({ code }: NodeJS.ErrnoException): BerthError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new HeadersTooLargeError('The headers are larger than 16 KiB: leave out cookies of other services.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new RequestTimeoutError('The headers did not arrive in time: send the request again.');
    default:
      return new RequestInvalidError(
        'This is not HTTP/1.1, or malformed: check what sends it, and whether it meant https.',
      );
  }
}
