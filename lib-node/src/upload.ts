// Sends one POST or PATCH with node:http. Unlike fetch, it supports `Expect: 100-continue`, sends the length of a
// streamed body, and receives a refusal while the body is still being sent; fetch reports a broken connection.

import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeConnectionFailure } from './connection-failure.ts';
import { RegistryError } from './errors.ts';
import { proxyOptions } from './proxy.ts';
import { MAX_DOCUMENT_BYTES } from './response.ts';

/** A server that does not support 100-continue gets the body after this time, as with curl. */
const CONTINUE_WAIT_MS = 1000;
/** Long enough for the registry to store the upload before it responds. */
const IDLE_TIMEOUT_MS = 300_000;

export interface Upload {
  /** Default `POST`. */
  method?: 'POST' | 'PATCH';
  url: URL;
  headers: Record<string, string | number>;
  body: AsyncIterable<Uint8Array>;
  artefactId: string;
  signal: AbortSignal | undefined;
}

export interface UploadResponse {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

/**
 * Sends a body and reads the response, whatever its status. If the registry refuses the request early, the body is not
 * sent, or not completed.
 *
 * @throws RegistryError `unreachable` (status 0) if the connection fails before there is a response
 */
export async function upload({
  method = 'POST',
  url,
  headers,
  body,
  artefactId,
  signal,
}: Upload): Promise<UploadResponse> {
  signal?.throwIfAborted();
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const proxied = proxyOptions(url);
  const request = send(url, {
    ...proxied,
    method,
    headers: { ...headers, ...proxied?.headers, expect: '100-continue' },
    ...(signal && { signal }),
  });
  request.setTimeout(IDLE_TIMEOUT_MS, () => {
    request.destroy(new Error(`no data for ${IDLE_TIMEOUT_MS} ms`));
  });
  const responseStart = new AbortController();
  const response = receive(request, responseStart);
  const sent = sendBody(request, body, responseStart.signal);
  try {
    return await Promise.race([response, sent.then(() => response)]);
  } catch (cause) {
    signal?.throwIfAborted();
    if (!(cause instanceof ConnectionError)) throw cause;
    throw new RegistryError(describeConnectionFailure(url, cause.cause), {
      status: 0,
      code: 'unreachable',
      artefactId,
      cause: cause.cause,
    });
  } finally {
    request.destroy();
  }
}

/** A failure of the connection, not of the body's source, which a retry would not fix. */
class ConnectionError extends Error {}

/** Receives the response; aborts `responseStart` when it starts, or when the connection fails. */
async function receive(request: ClientRequest, responseStart: AbortController): Promise<UploadResponse> {
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    responseStart.abort();
    request.on('error', () => undefined);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk;
      // What is cut is not JSON, which the callers report.
      if (text.length > MAX_DOCUMENT_BYTES) break;
    }
    return { status: response.statusCode ?? 0, headers: response.headers, text };
  } catch (cause) {
    throw new ConnectionError(cause instanceof Error ? cause.message : String(cause), { cause });
  } finally {
    responseStart.abort();
  }
}

async function sendBody(
  request: ClientRequest,
  body: AsyncIterable<Uint8Array>,
  responseStart: AbortSignal,
): Promise<void> {
  request.flushHeaders();
  await untilResponse(
    responseStart,
    Promise.race([
      once(request, 'continue', { signal: responseStart }),
      sleep(CONTINUE_WAIT_MS, undefined, { signal: responseStart }),
    ]),
  );
  if (responseStart.aborted) return;
  for await (const chunk of body) {
    if (responseStart.aborted) return;
    if (!request.write(chunk)) await untilResponse(responseStart, once(request, 'drain', { signal: responseStart }));
  }
  request.end();
}

/** Waits for `event`, or until `responseStart` aborts. */
async function untilResponse(responseStart: AbortSignal, event: Promise<unknown>): Promise<void> {
  try {
    await event;
  } catch (error) {
    if (!responseStart.aborted) throw error;
  }
}
