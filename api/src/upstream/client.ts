// HTTP client for one registry: follows redirects itself, so that credentials are sent to the registry only.

import { ResponseInvalidError, type Outbound, type OutboundResponse } from '../outbound/index.ts';
import { RemoteAnswerInvalidError, RemoteUnavailableError } from './errors.ts';

/** Address of a registry, and the key to send to it. */
export interface UpstreamAccess {
  url: string;
  apiKey: string | undefined;
}

export interface UpstreamClient {
  /** Builds the URL of an API route; the parts are encoded. */
  route(...parts: string[]): string;
  /** Sends a GET. @throws remote_unavailable, remote_answer_invalid; the signal's reason */
  get(url: string, options?: GetOptions): Promise<UpstreamResponse>;
}

export interface GetOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** `chunks` throws remote_unavailable if cut short or too slow, remote_answer_invalid if it is not valid HTTP. */
export interface UpstreamResponse extends OutboundResponse {
  /** Headers from the registry's own origin: a storage that it redirects to has different validators. */
  validators: OutboundResponse['headers'];
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Sends the key to the registry's own origin, and no longer once a redirect has left that origin. */
export function createUpstreamClient(
  { url: baseUrl, apiKey }: UpstreamAccess,
  outbound: Pick<Outbound, 'get'>,
): UpstreamClient {
  const credentials = apiKey === undefined ? {} : { 'x-api-key': apiKey };
  const { origin } = new URL(baseUrl);

  async function get(target: string, { headers = {}, signal }: GetOptions = {}): Promise<UpstreamResponse> {
    let url = new URL(target);
    let requestHeaders = headers;
    let validators: OutboundResponse['headers'] | undefined;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const isOwnOrigin = validators === undefined;
      const response = await send(url, isOwnOrigin ? { ...requestHeaders, ...credentials } : requestHeaders, signal);
      if (!REDIRECTS.has(response.status)) return { ...response, validators: validators ?? response.headers };
      response.discard();
      url = redirectTarget(url, response.headers['location']);
      if (isOwnOrigin && url.origin !== origin) {
        validators = response.headers;
        requestHeaders = headersForOtherOrigin(requestHeaders, validators);
      }
    }
    throw new RemoteAnswerInvalidError(`The remote registry redirects more than ${MAX_REDIRECTS} times.`);
  }

  async function send(
    url: URL,
    headers: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<OutboundResponse> {
    try {
      // A reverse proxy may compress; digests and ranges need the bytes as they are.
      const response = await outbound.get(url, {
        headers: { 'accept-encoding': 'identity', 'user-agent': 'Berth', ...headers },
        signal,
      });
      return { ...response, chunks: translateFailures(response.chunks) };
    } catch (cause) {
      signal?.throwIfAborted();
      throw failureOf(cause, `The registry at ${url.origin} cannot be reached`);
    }
  }

  return { route: (...parts) => [`${baseUrl}/api/v1`, ...parts.map(encodeURIComponent)].join('/'), get };
}

/** Reads a complete body. @throws remote_answer_invalid beyond the limit; what `chunks` throws */
export async function readBody({ chunks }: Pick<UpstreamResponse, 'chunks'>, limitBytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes)
      throw new RemoteAnswerInvalidError(`The response of the remote registry exceeds ${limitBytes} bytes.`);
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

async function* translateFailures(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (cause) {
    throw failureOf(cause, 'The response of the remote registry was cut short');
  }
}

/** Invalid HTTP is permanent; any other failure may be transient. */
function failureOf(cause: unknown, what: string): Error {
  if (cause instanceof ResponseInvalidError)
    return new RemoteAnswerInvalidError(`The response of the remote registry is not valid HTTP: ${cause.message}.`, {
      cause,
    });
  return new RemoteUnavailableError(`${what}: ${reasonOf(cause)}.`, { cause });
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error
    ? error.message || String((error as NodeJS.ErrnoException).code ?? error.name)
    : String(error);
}

function redirectTarget(from: URL, location: string | undefined): URL {
  const url = location === undefined ? undefined : URL.parse(location, from.href);
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new RemoteAnswerInvalidError('The remote registry redirects to an invalid URL.');
  }
  return url;
}

/**
 * Keeps the range, without `if-range`, if the redirect's ETag says that the bytes are unchanged; otherwise drops both,
 * so that all bytes are requested.
 */
function headersForOtherOrigin(
  headers: Record<string, string>,
  redirect: OutboundResponse['headers'],
): Record<string, string> {
  const { range, 'if-range': etag, ...rest } = headers;
  return range !== undefined && etag !== undefined && redirect['etag'] === etag ? { ...rest, range } : rest;
}
