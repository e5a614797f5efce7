// One GET to another registry: redirects followed by hand, credentials kept at home.

import { RemoteAnswerInvalidError, RemoteUnavailableError } from './errors.ts';
import { createHttpClient, HttpProtocolError } from './http-client.ts';
import type { HttpAnswer, HttpBody, HttpHeaders } from './http-client.ts';

/** Which registry, and how to reach it. */
export interface UpstreamAccess {
  url: string;
  apiKey: string | undefined;
  /** Within which the head of an answer, and then 16 KiB of its body each, have to be there. */
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
  /** Headers of the registry itself: a storage that it redirects to knows other validators. */
  validators: HttpHeaders;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** To one registry, from one thread: it has others to serve, and more of them bring nothing but longer waits. */
export const MAX_CONNECTIONS = 8;

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
      if (!REDIRECTS.has(status)) return { ...answer, validators: validators ?? headers };
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
      throw failureOf(cause, `The registry at ${url.origin} cannot be reached`);
    }
  }

  return {
    route: (...parts) => [`${baseUrl}/api/v1`, ...parts.map(encodeURIComponent)].join('/'),
    get,
    close: () => { client.close(); },
  };
}

/**
 * Reads a body in pieces, whose memory is used again as soon as the next one is asked for.
 * @throws remote_unavailable when it is cut, silent or too slow; remote_answer_invalid when it is not HTTP
 */
export async function* readChunks(body: HttpBody): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    throw failureOf(cause, 'The answer of the remote registry was cut short');
  }
}

/** Reads a whole body. @throws remote_answer_invalid beyond the limit; else as readChunks */
export async function readBody({ body }: Pick<UpstreamAnswer, 'body'>, limitBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of readChunks(body)) {
    sizeBytes += chunk.length;
    if (sizeBytes > limitBytes) throw new RemoteAnswerInvalidError(`An answer of the remote registry has more than ${limitBytes} bytes.`);
    chunks.push(new Uint8Array(chunk));
  }
  return Buffer.concat(chunks);
}

export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message || String((error as NodeJS.ErrnoException).code ?? error.name) : String(error);
}

/** What speaks no HTTP is there, and of no use; whatever else goes wrong may go better the next time. */
function failureOf(cause: unknown, what: string): Error {
  if (cause instanceof HttpProtocolError) {
    return new RemoteAnswerInvalidError(`The remote registry cannot be understood: ${cause.message}.`, { cause });
  }
  return new RemoteUnavailableError(`${what}: ${reasonOf(cause)}.`, { cause });
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
