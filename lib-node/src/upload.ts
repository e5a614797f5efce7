// One POST, or PATCH, by node:http, not by fetch: it can ask before it sends (`Expect: 100-continue`), tells the
// length of a streamed body, and hears a refusal that arrives while the body is still on its way, where fetch reports
// a broken connection instead.

import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { RegistryError } from './errors.ts';

/** A server that has not heard of 100-continue gets the body after this long, as from curl. */
const CONTINUE_WAIT_MS = 1000;
/** The registry may take its time to store what it was sent before it answers. */
const SILENCE_MS = 300_000;

export interface Upload {
  /** Default `POST`. */
  method?: 'POST' | 'PATCH';
  url: URL;
  headers: Record<string, string | number>;
  body: AsyncIterable<Uint8Array>;
  artefactId: string;
  signal: AbortSignal | undefined;
}

export interface UploadAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

/**
 * Sends a body and reads the answer, whatever its status is. The body is not begun where the registry refuses at once,
 * and not finished where it refuses half-way.
 *
 * @throws RegistryError `unreachable` (status 0) when the connection fails before there is an answer /
 */
export async function upload({
  method = 'POST',
  url,
  headers,
  body,
  artefactId,
  signal,
}: Upload): Promise<UploadAnswer> {
  signal?.throwIfAborted();
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = send(url, { method, headers: { ...headers, expect: '100-continue' }, ...(signal && { signal }) });
  request.setTimeout(SILENCE_MS, () => {
    request.destroy(new Error(`nothing came for ${SILENCE_MS} ms`));
  });
  const answering = new AbortController();
  const answered = receive(request, answering);
  const sent = sendBody(request, body, answering.signal);
  try {
    return await Promise.race([answered, sent.then(() => answered)]);
  } catch (cause) {
    signal?.throwIfAborted();
    if (!(cause instanceof ConnectionError)) throw cause;
    throw new RegistryError(`the upload to ${url.origin} failed: ${cause.message}`, {
      status: 0,
      code: 'unreachable',
      artefactId,
      cause: cause.cause,
    });
  } finally {
    request.destroy();
  }
}

/** Tells the connection's failures from those of the body's source, which no further attempt would mend. */
class ConnectionError extends Error {}

/** Waits for the answer; `answering` aborts as soon as it begins, or when there will be none. */
async function receive(request: ClientRequest, answering: AbortController): Promise<UploadAnswer> {
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    answering.abort();
    request.on('error', () => undefined);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    return { status: response.statusCode ?? 0, headers: response.headers, text };
  } catch (cause) {
    throw new ConnectionError(cause instanceof Error ? cause.message : String(cause), { cause });
  } finally {
    answering.abort();
  }
}

async function sendBody(
  request: ClientRequest,
  body: AsyncIterable<Uint8Array>,
  answering: AbortSignal,
): Promise<void> {
  request.flushHeaders();
  await unlessAnswered(
    answering,
    Promise.race([
      once(request, 'continue', { signal: answering }),
      sleep(CONTINUE_WAIT_MS, undefined, { signal: answering }),
    ]),
  );
  if (answering.aborted) return;
  for await (const chunk of body) {
    if (answering.aborted) return;
    if (!request.write(chunk)) await unlessAnswered(answering, once(request, 'drain', { signal: answering }));
  }
  request.end();
}

/** Waits for `event`; an answer, or a failure that `receive` reports, ends the wait as well. */
async function unlessAnswered(answering: AbortSignal, event: Promise<unknown>): Promise<void> {
  try {
    await event;
  } catch (error) {
    if (!answering.aborted) throw error;
  }
}
