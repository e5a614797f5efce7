// What tus-js-client reads the file and speaks HTTP with. It alone would wait for ever for what is cut short.

import { createReadStream, type ReadStream } from 'node:fs';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { FileSource, HttpResponse, HttpStack } from 'tus-js-client';

/** Fewer and larger pieces than a stream's default, whose handling costs more than the reading. */
const PIECE_BYTES = 512 * 1024;
/** A registry may take its time to store what it was sent before it answers. */
const SILENCE_MS = 300_000;

/**
 * Streams parts of a file.
 * @param onError hears of what tus-js-client does not: a file that cannot be read, or is shorter than it was
 */
export function openSource(file: string, size: number, onError: (error: Error) => void): FileSource {
  let stream: ReadStream | undefined;
  return {
    size,
    slice(start, end) {
      stream?.destroy();
      const part = createReadStream(file, { start, end: end - 1, highWaterMark: PIECE_BYTES });
      part.on('error', onError).on('end', () => {
        if (part.bytesRead < end - start) onError(new Error('the file has changed while it was uploaded'));
      });
      stream = part;
      return Promise.resolve({ value: Object.assign(part, { size: end - start }), done: end >= size });
    },
    close: () => {
      stream?.destroy();
    },
  };
}

/** Gives up silent connections, ends the sending when the answer comes early, and says in a sentence what failed. */
export function withoutSilence(stack: HttpStack): HttpStack {
  return {
    getName: () => stack.getName(),
    createRequest(method, url) {
      const request = stack.createRequest(method, url);
      const send = request.send.bind(request);
      request.send = async (body) => {
        const answered = send(body);
        const raw = request.getUnderlyingObject() as ClientRequest;
        raw.setTimeout(SILENCE_MS, () => {
          raw.destroy(new Error(`nothing came for ${SILENCE_MS / 1000} s`));
        });
        const { promise: cut, reject } = Promise.withResolvers<never>();
        raw.on('response', (response: IncomingMessage) => {
          response.on('error', reject);
        });
        const answer = await Promise.race([answered, cut]).catch((cause: Error) => {
          const reason = cause.message || String(cause);
          throw new Error(`the connection to ${new URL(url).hostname} failed: ${reason}`, { cause });
        });
        if (!raw.writableEnded) raw.destroy();
        // To tus-js-client, every refusal of HEAD but 423 means that the upload is lost.
        if (method === 'HEAD' && isTransient(answer)) throw new Error(sentenceOf(answer));
        return answer;
      };
      return request;
    },
  };
}

/** The other end of a cut connection may hold the upload yet, or have more bytes of it than it said. */
export function isTransient(answer: HttpResponse): boolean {
  const status = answer.getStatus();
  return status >= 500 || status === 423 || answer.getBody().includes('upload_offset_conflict');
}

/** What a problem document says, for people. */
export function sentenceOf(answer: HttpResponse): string {
  try {
    const { detail } = JSON.parse(answer.getBody()) as { detail?: unknown };
    if (typeof detail === 'string') return detail;
  } catch {
    /* told below */
  }
  return `the registry answered with ${answer.getStatus()}`;
}
