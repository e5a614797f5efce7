// One GET to another registry: redirects followed by hand, silence bounded, credentials kept at home.

import { RemoteAnswerInvalidError, RemoteUnavailableError } from './errors.ts';
import { createHttpClient, type HttpAnswer, type HttpHeaders } from './http-client.ts';

/** Which registry, and how to reach it. */
export interface UpstreamAccess {
  url: string;
  apiKey: string | undefined;
  /** For how long it may keep silent. */
  timeoutMs: number;
}

export interface UpstreamConnection {
  /** Makes the address of a route of its API; the parts are encoded. */
  route(...parts: string[]): string;
  /** Sends a GET. @throws remote_unavailable, remote_answer_invalid; the signal's reason */
  get(url: string, options?: GetOptions): Promise<UpstreamAnswer>;
  close(): void;
}

export interface GetOptions {
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** Its body has to be read by `readChunks`, or destroyed. */
export interface UpstreamAnswer extends HttpAnswer {
  /** For how long it may keep silent. */
  timeoutMs: number;
  /** Headers of the registry itself: a storage that it redirects to knows other validators. */
  validators: HttpHeaders;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** To one registry, from one thread: it has others to serve, and more of them bring nothing but longer waits. */
export const MAX_CONNECTIONS = 8;
const MIN_BYTES_PER_TIMEOUT = 16 * 1024;

/** Makes the connections to one registry. The key goes to the registry's own origin and, once a redirect has left it, nowhere any more. */
export function connectUpstream({ url: baseUrl, apiKey, timeoutMs }: UpstreamAccess): UpstreamConnection {
  const credentials = apiKey === undefined ? {} : { 'x-api-key': apiKey };
  const home = new URL(baseUrl).origin;
  const client = createHttpClient({ timeoutMs, maxConnections: MAX_CONNECTIONS });

  async function get(target: string, { headers = {}, signal }: GetOptions = {}): Promise<UpstreamAnswer> {
    let url = new URL(target);
    let asked = headers;
    let validators: HttpHeaders | undefined;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const isHome = validators === undefined;
      const answer = await send(url, isHome ? { ...asked, ...credentials } : asked, signal);
      const { status, headers, body } = answer;
      if (!REDIRECTS.has(status)) return { ...answer, timeoutMs, validators: validators ?? headers };
      body.destroy();
      url = redirected(url, headers['location']);
      if (isHome && url.origin !== home) {
        validators = headers;
        asked = conditionsElsewhere(asked, validators);
      }
    }
    throw new RemoteAnswerInvalidError(`The remote registry redirects more than ${MAX_REDIRECTS} times.`);
  }

  async function send(url: URL, headers: Record<string, string>, signal: AbortSignal | undefined): Promise<HttpAnswer> {
    try {
      // A server behind a proxy may compress; bytes are wanted as they are.
      return await client.get(url, { 'accept-encoding': 'identity', 'user-agent': 'Berth', ...headers }, signal);
    } catch (cause) {
      signal?.throwIfAborted();
      throw unavailable(url, cause);
    }
  }

  return {
    route: (...parts) => [`${baseUrl}/api/v1`, ...parts.map(encodeURIComponent)].join('/'),
    get,
    close: () => { client.close(); },
  };
}

/**
 * Reads a body in pieces, whose memory is used again as soon as the next one is asked for. One that comes in drops is no better than silence: in each time-out that was spent waiting, 16 KiB must have come.
 * @throws Error when it is cut, falls silent or is too slow
 */
export async function* readChunks({ body, timeoutMs }: Pick<UpstreamAnswer, 'body' | 'timeoutMs'>): AsyncGenerator<Uint8Array> {
  let waitedMs = 0;
  let receivedBytes = 0;
  let askedAt = performance.now();
  for await (const chunk of body) {
    waitedMs += performance.now() - askedAt;
    receivedBytes += chunk.length;
    if (waitedMs > timeoutMs) {
      if (receivedBytes < MIN_BYTES_PER_TIMEOUT) throw new Error(`only ${receivedBytes} bytes came in ${Math.round(waitedMs / 1000)} s`);
      waitedMs = 0;
      receivedBytes = 0;
    }
    yield chunk;
    askedAt = performance.now();
  }
}

/** Reads a whole body. @throws remote_answer_invalid beyond the limit; remote_unavailable when it is cut */
export async function readBody(answer: UpstreamAnswer, limitBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of readChunks(answer)) {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) throw new RemoteAnswerInvalidError(`An answer of the remote registry has more than ${limitBytes} bytes.`);
      chunks.push(new Uint8Array(chunk));
    }
  } catch (error) {
    if (error instanceof RemoteAnswerInvalidError) throw error;
    throw new RemoteUnavailableError(`An answer of the remote registry was cut short: ${reasonOf(error)}.`, { cause: error });
  }
  return Buffer.concat(chunks);
}

export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message || String((error as NodeJS.ErrnoException).code ?? error.name) : String(error);
}

function unavailable(url: URL, cause: unknown): Error {
  return new RemoteUnavailableError(`The registry at ${url.origin} cannot be reached: ${reasonOf(cause)}.`, { cause });
}

function redirected(from: URL, location: string | undefined): URL {
  const url = location === undefined ? undefined : URL.parse(location, from.href);
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') throw new RemoteAnswerInvalidError('The remote registry redirects to nowhere that can be followed.');
  return url;
}

/** A range goes on, bare, where the redirect says that the bytes are still the same; otherwise all of them are asked for. */
function conditionsElsewhere(headers: Record<string, string>, redirect: HttpHeaders): Record<string, string> {
  const { range, 'if-range': etag, ...rest } = headers;
  return range !== undefined && etag !== undefined && redirect['etag'] === etag ? { ...rest, range } : rest;
}
