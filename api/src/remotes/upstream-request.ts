// One GET to another registry: redirects followed by hand, silence bounded, credentials kept at home.

import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { RemoteAnswerInvalidError, RemoteUnavailableError } from './errors.ts';

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

export interface UpstreamAnswer {
  /** For how long it may keep silent. */
  timeoutMs: number;
  status: number;
  /** Of the registry itself: a storage that it redirects to knows other validators. */
  validators: http.IncomingHttpHeaders;
  headers: http.IncomingHttpHeaders;
  /** Has to be read to its end, by `readChunks`, or destroyed. */
  body: IncomingMessage;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** To one registry, which has others to serve: more of them bring nothing but longer waits. */
const MAX_SOCKETS = 8;
const MIN_BYTES_PER_TIMEOUT = 16 * 1024;

/** Makes the connections to one registry. The key goes to the registry's own origin and, once a redirect has left it, nowhere any more. */
export function connectUpstream({ url: baseUrl, apiKey, timeoutMs }: UpstreamAccess): UpstreamConnection {
  const credentials = apiKey === undefined ? {} : { 'x-api-key': apiKey };
  const home = new URL(baseUrl).origin;
  const agents = { 'http:': new http.Agent({ keepAlive: true, maxSockets: MAX_SOCKETS }), 'https:': new https.Agent({ keepAlive: true, maxSockets: MAX_SOCKETS }) };

  async function get(target: string, { headers = {}, signal }: GetOptions = {}): Promise<UpstreamAnswer> {
    let url = new URL(target);
    let asked = headers;
    let validators: http.IncomingHttpHeaders | undefined;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const isHome = validators === undefined;
      const body = await send(url, isHome ? { ...asked, ...credentials } : asked, signal);
      const status = body.statusCode ?? 0;
      if (!REDIRECTS.has(status)) return { timeoutMs, status, headers: body.headers, validators: validators ?? body.headers, body };
      body.destroy();
      url = redirected(url, body.headers.location);
      if (isHome && url.origin !== home) {
        validators = body.headers;
        asked = conditionsElsewhere(asked, validators);
      }
    }
    throw new RemoteAnswerInvalidError(`The remote registry redirects more than ${MAX_REDIRECTS} times.`);
  }

  function send(url: URL, headers: Record<string, string>, signal: AbortSignal | undefined): Promise<IncomingMessage> {
    const { protocol } = url;
    const [client, agent] = protocol === 'https:' ? [https, agents['https:']] as const : [http, agents['http:']] as const;
    return new Promise((resolve, reject) => {
      // A server behind a proxy may compress; bytes are wanted as they are.
      const request = client.get(url, { agent, headers: { 'accept-encoding': 'identity', 'user-agent': 'Berth', ...headers }, timeout: timeoutMs, ...(signal && { signal }) });
      request.once('timeout', () => request.destroy(new Error(`nothing came for ${timeoutMs / 1000} s`)));
      request.once('response', resolve);
      request.once('error', (cause) => { reject(signal?.aborted ? asError(signal.reason) : unavailable(url, cause)); });
    });
  }

  return {
    route: (...parts) => [`${baseUrl}/api/v1`, ...parts.map(encodeURIComponent)].join('/'),
    get,
    close() { for (const agent of Object.values(agents)) agent.destroy(); },
  };
}

/**
 * Reads a body in pieces. One that comes in drops is no better than silence: in each time-out that was spent waiting, 16 KiB must have come.
 * @throws Error when it is cut, falls silent or is too slow
 */
export async function* readChunks({ body, timeoutMs }: Pick<UpstreamAnswer, 'body' | 'timeoutMs'>): AsyncGenerator<Buffer> {
  let waitedMs = 0;
  let receivedBytes = 0;
  let askedAt = performance.now();
  for await (const chunk of body as AsyncIterable<Buffer>) {
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
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of readChunks(answer)) {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) throw new RemoteAnswerInvalidError(`An answer of the remote registry has more than ${limitBytes} bytes.`);
      chunks.push(chunk);
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
function conditionsElsewhere(headers: Record<string, string>, redirect: http.IncomingHttpHeaders): Record<string, string> {
  const { range, 'if-range': etag, ...rest } = headers;
  return range !== undefined && etag !== undefined && redirect.etag === etag ? { ...rest, range } : rest;
}

function asError(reason: unknown): Error { return reason instanceof Error ? reason : new Error(String(reason)); }
