// Requests that Node's HTTP parser rejects: they have no route and no reply, only a socket.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { BerthError } from '../errors.ts';
import { HeadersTooLargeError, RequestInvalidError, RequestTimeoutError } from './errors.ts';
import { securityHeadersOf } from './security-headers.ts';

/**
 * Sends a problem document if the socket is still writable, and closes the connection.
 * @param secure as of securityHeadersOf
 */
export function answerMalformed(error: NodeJS.ErrnoException, socket: Socket, secure: boolean): void {
  if (error.code !== 'ECONNRESET' && socket.writable) {
    const { status, title, message: detail, code } = toBerthError(error);
    const body = JSON.stringify({ status, title, detail, code });
    const headers = {
      ...securityHeadersOf(secure),
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      'content-length': Buffer.byteLength(body),
      'connection': 'close',
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`);
  }
  socket.destroy(error);
}

function toBerthError({ code }: NodeJS.ErrnoException): BerthError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new HeadersTooLargeError('The headers are larger than 16 KiB: send fewer headers or cookies.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new RequestTimeoutError('The headers did not arrive in time: send the request again.');
    default:
      return new RequestInvalidError(
        'The request is malformed or not HTTP/1.1: check the client, and whether it should use https.',
      );
  }
}
