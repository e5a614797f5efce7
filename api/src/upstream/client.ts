// HTTP client for one registry: follows redirects itself, so that credentials are sent to the registry only.

import { AddressRefusedError, ResponseInvalidError, type Outbound, type OutboundResponse } from '../outbound/index.ts';
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
      const response = await send(url, isOwnOrigin ? { ...requestHeaders, ...credentials } : requestHeaders, {
        signal,
        redirectedFrom: isOwnOrigin ? undefined : new URL(origin),
      });
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
    { signal, redirectedFrom }: { signal: AbortSignal | undefined; redirectedFrom: URL | undefined },
  ): Promise<OutboundResponse> {
    try {
      // A reverse proxy may compress; digests and ranges need the bytes as they are.
      const response = await outbound.get(url, {
        headers: { 'accept-encoding': 'identity', 'user-agent': 'Berth', ...headers },
        signal,
        redirectedFrom,
      });
      return { ...response, chunks: translateFailures(response.chunks) };
    } catch (cause) {
      signal?.throwIfAborted();
      throw failureOf(cause, `The registry at ${url.origin} cannot be reached`);
    }
  }

  return { route: (...parts) => [`${baseUrl}/api/v1`, ...parts.map(encodeURIComponent)].join('/'), get };
}

const FIRST_BODY_BYTES = 64 * 1024;

/**
 * Reads a complete body, whose memory the caller owns.
 * @throws remote_answer_invalid beyond the limit; what `chunks` throws
 */
export async function readBody({ chunks }: Pick<UpstreamResponse, 'chunks'>, limitBytes: number): Promise<Buffer> {
  let bytes = new Uint8Array(FIRST_BODY_BYTES);
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    const neededBytes = sizeBytes + chunk.length;
    if (neededBytes > limitBytes)
      throw new RemoteAnswerInvalidError(`The response of the remote registry exceeds ${limitBytes} bytes.`);
    // Moves the memory instead of leaving it to the garbage collector.
    if (neededBytes > bytes.length)
      bytes = new Uint8Array(bytes.buffer.transfer(Math.min(limitBytes, Math.max(neededBytes, 2 * bytes.length))));
    bytes.set(chunk, sizeBytes);
    sizeBytes = neededBytes;
    freeMemory(chunk);
  }
  return Buffer.from(bytes.buffer, 0, sizeBytes);
}

/**
 * Frees the memory of a chunk that fills its buffer alone, as those of a socket do, so that the next one reuses it
 * before the garbage collector runs.
 */
export function freeMemory({ buffer, length }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}

async function* translateFailures(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (cause) {
    throw failureOf(cause, 'The response of the remote registry was cut short');
  }
}

/** Invalid HTTP and a forbidden redirect are permanent; any other failure may be transient. */
function failureOf(cause: unknown, what: string): Error {
  if (cause instanceof AddressRefusedError)
    return new RemoteAnswerInvalidError(
      'The remote registry redirects to an address in a private network: if that is right, list the network in ' +
        'REMOTE_PRIVATE_NETWORKS.',
      { cause },
    );
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
  if (from.protocol === 'https:' && url.protocol === 'http:')
    throw new RemoteAnswerInvalidError('The remote registry redirects from https to http, which anybody could read.');
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
