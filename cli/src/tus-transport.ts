// File reader and HTTP stack for tus-js-client, which on its own has no timeouts and hangs on a truncated file.

import { createReadStream, type ReadStream } from 'node:fs';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { describeConnectionFailure, describeOtherAnswer } from '@berth-registry/lib-node';
import type { FileSource, HttpResponse, HttpStack } from 'tus-js-client';

/** Larger than a stream's default, whose overhead per chunk exceeds the cost of reading. */
const CHUNK_BYTES = 512 * 1024;
/** Long enough for the registry to store the upload before it responds. */
const IDLE_TIMEOUT_MS = 300_000;

/**
 * Opens a file whose parts are streamed.
 * @param onError called with errors that tus-js-client misses: the file cannot be read, or has become shorter
 */
export function openSource(file: string, size: number, onError: (error: Error) => void): FileSource {
  let stream: ReadStream | undefined;
  return {
    size,
    slice(start, end) {
      stream?.destroy();
      const part = createReadStream(file, { start, end: end - 1, highWaterMark: CHUNK_BYTES });
      part.on('error', onError).on('end', () => {
        if (part.bytesRead < end - start) onError(new Error('the file changed during the upload'));
      });
      stream = part;
      return Promise.resolve({ value: Object.assign(part, { size: end - start }), done: end >= size });
    },
    close: () => {
      stream?.destroy();
    },
  };
}

/**
 * Wraps an HTTP stack: aborts idle connections, stops sending once there is a response, and shortens errors to one
 * sentence.
 */
export function withIdleTimeout(stack: HttpStack): HttpStack {
  return {
    getName: () => stack.getName(),
    createRequest(method, url) {
      const request = stack.createRequest(method, url);
      const send = request.send.bind(request);
      request.send = async (body) => {
        const responded = send(body);
        const raw = request.getUnderlyingObject() as ClientRequest;
        raw.setTimeout(IDLE_TIMEOUT_MS, () => {
          raw.destroy(new Error(`no data for ${IDLE_TIMEOUT_MS / 1000} s`));
        });
        const { promise: truncated, reject } = Promise.withResolvers<never>();
        raw.on('response', (incoming: IncomingMessage) => {
          incoming.on('error', reject);
        });
        const response = await Promise.race([responded, truncated]).catch((cause: Error) => {
          throw new Error(describeConnectionFailure(new URL(url), cause), { cause });
        });
        if (!raw.writableEnded) raw.destroy();
        // tus-js-client takes every error of HEAD but 423 to mean that the upload no longer exists.
        if (method === 'HEAD' && isTransient(response)) throw new Error(problemMessage(response, url));
        return response;
      };
      return request;
    },
  };
}

/**
 * Tells whether a retry can help: after a lost connection, the registry may still hold the lock of the upload, or be
 * ahead of the offset that it reported.
 */
export function isTransient(response: HttpResponse): boolean {
  const status = response.getStatus();
  return status >= 500 || status === 423 || response.getBody().includes('upload_offset_conflict');
}

/** Returns the detail of a problem document, else a sentence with the status. */
export function problemMessage(response: HttpResponse, url: string): string {
  try {
    const { detail } = JSON.parse(response.getBody()) as { detail?: unknown };
    if (typeof detail === 'string') return detail.replace(/\s+/g, ' ');
  } catch {
    // Not a problem document.
  }
  const answer = describeOtherAnswer(new URL(url), response.getStatus(), response.getBody());
  return `the registry responded with status ${response.getStatus()}: ${answer}`;
}
