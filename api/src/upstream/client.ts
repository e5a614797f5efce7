// GETs to one registry: redirects are followed by hand, and credentials stay with the registry.

import { ResponseInvalidError, type Outbound, type OutboundResponse } from '../outbound/index.ts';
import { RemoteAnswerInvalidError, RemoteUnavailableError } from './errors.ts';

/** Which registry, and the key that it knows us by. */
export interface UpstreamAccess {
  url: string;
  apiKey: string | undefined;
}

export interface UpstreamClient {
  /** Makes the address of a route of its API; the parts are encoded. */
  route(...parts: string[]): string;
  /** Sends a GET. @throws remote_unavailable, remote_answer_invalid; the signal's reason */
  get(url: string, options?: GetOptions): Promise<UpstreamResponse>;
}

export interface GetOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** `chunks` throws remote_unavailable when it is cut short or too slow, remote_answer_invalid when it is not HTTP. */
export interface UpstreamResponse extends OutboundResponse {
  /** Headers of the registry itself: a storage that it redirects to has other validators. */
  validators: OutboundResponse['headers'];
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** The key goes to the registry's own origin and, once a redirect has left it, nowhere any more. */
export function createUpstreamClient(
  { url: baseUrl, apiKey }: UpstreamAccess,
  outbound: Pick<Outbound, 'get'>,
): UpstreamClient {
  const credentials = apiKey === undefined ? {} : { 'x-api-key': apiKey };
  const home = new URL(baseUrl).origin;

  async function get(target: string, { headers = {}, signal }: GetOptions = {}): Promise<UpstreamResponse> {
    let url = new URL(target);
    let asked = headers;
    let validators: OutboundResponse['headers'] | undefined;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const isHome = validators === undefined;
      const response = await send(url, isHome ? { ...asked, ...credentials } : asked, signal);
      if (!REDIRECTS.has(response.status)) return { ...response, validators: validators ?? response.headers };
      response.discard();
      url = redirected(url, response.headers['location']);
      if (isHome && url.origin !== home) {
        validators = response.headers;
        asked = conditionsElsewhere(asked, validators);
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
      // A server behind a proxy may compress; bytes are wanted as they are.
      const response = await outbound.get(url, {
        headers: { 'accept-encoding': 'identity', 'user-agent': 'Berth', ...headers },
        signal,
      });
      return { ...response, chunks: explainFailures(response.chunks) };
    } catch (cause) {
      signal?.throwIfAborted();
      throw failureOf(cause, `The registry at ${url.origin} cannot be reached`);
    }
  }

  return { route: (...parts) => [`${baseUrl}/api/v1`, ...parts.map(encodeURIComponent)].join('/'), get };
}

/** Reads a whole body. @throws remote_answer_invalid beyond the limit; else as `chunks` */
export async function readBody({ chunks }: Pick<UpstreamResponse, 'chunks'>, limitBytes: number): Promise<Buffer> {
  const read: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of chunks) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes)
      throw new RemoteAnswerInvalidError(`An answer of the remote registry has more than ${limitBytes} bytes.`);
    read.push(chunk);
  }
  return Buffer.concat(read);
}

async function* explainFailures(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (cause) {
    throw failureOf(cause, 'The answer of the remote registry was cut short');
  }
}

/** What does not speak HTTP is of no use; whatever else goes wrong may go better the next time. */
function failureOf(cause: unknown, what: string): Error {
  if (cause instanceof ResponseInvalidError)
    return new RemoteAnswerInvalidError(`The remote registry cannot be understood: ${cause.message}.`, { cause });
  return new RemoteUnavailableError(`${what}: ${reasonOf(cause)}.`, { cause });
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error
    ? error.message || String((error as NodeJS.ErrnoException).code ?? error.name)
    : String(error);
}

function redirected(from: URL, location: string | undefined): URL {
  const url = location === undefined ? undefined : URL.parse(location, from.href);
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new RemoteAnswerInvalidError('The remote registry redirects to an address that cannot be followed.');
  }
  return url;
}

/**
 * A range goes on, bare, where the redirect says that the bytes are still the same; otherwise all of them are asked
 * for.
 */
function conditionsElsewhere(
  headers: Record<string, string>,
  redirect: OutboundResponse['headers'],
): Record<string, string> {
  const { range, 'if-range': etag, ...rest } = headers;
  return range !== undefined && etag !== undefined && redirect['etag'] === etag ? { ...rest, range } : rest;
}
