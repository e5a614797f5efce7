// HTTP client for requests to other servers: connection pools, the operator's proxies, timeouts.

import { EnvHttpProxyAgent, errors, Pool, request, setGlobalDispatcher, type Dispatcher } from 'undici';

/** Outbound proxies, named like the usual environment variables. */
export interface Proxies {
  HTTP_PROXY?: string | undefined;
  /** Default: HTTP_PROXY. */
  HTTPS_PROXY?: string | undefined;
  /** Comma-separated hosts to reach without a proxy; `*` for all. */
  NO_PROXY?: string | undefined;
}

/** Plain data, so that a worker thread can create a client of its own. */
export interface OutboundOptions {
  /** Time to accept a connection, to send a complete response head, and to send each 16 KiB of a body. */
  timeoutMs: number;
  proxies?: Proxies;
}

export interface OutboundResponse {
  status: number;
  /** By lower-case name; repeated headers are joined with commas. */
  headers: Readonly<Record<string, string>>;
  /**
   * The body in chunks, which the reader owns. Read it to the end, or call `discard`.
   * @throws ResponseInvalidError; an Error when it is cut short, or slower than the timeout allows; the signal's
   *   reason
   */
  chunks: AsyncIterable<Uint8Array>;
  /** Drains a short rest of the body, so that the connection can be reused; otherwise closes the connection. */
  discard(): void;
}

export interface Outbound {
  /**
   * Sends a GET without following redirects. Waits while all connections to the server are in use.
   * @throws ResponseInvalidError; an Error when the server cannot be reached or is too slow; the signal's reason
   */
  get(
    url: URL,
    options?: { headers?: Readonly<Record<string, string>>; signal?: AbortSignal | undefined },
  ): Promise<OutboundResponse>;
  /** Closes all connections; requests in flight fail. */
  close(): Promise<void>;
}

/** The response is not valid HTTP, or exceeds a limit on headers or interim responses. */
export class ResponseInvalidError extends Error {
  override readonly name = 'ResponseInvalidError';
}

/** Per server: it has other clients to serve, and more connections would only queue there. */
export const MAX_CONNECTIONS = 8;
const MAX_HEAD_BYTES = 64 * 1024;
const MAX_INTERIM_RESPONSES = 8;
/** A body that brings less than this within the timeout counts as silent. */
const MIN_BODY_BYTES = 16 * 1024;
/** Longest rest of an unwanted body to drain: beyond it, a new connection costs less. */
const MAX_DISCARDED_BYTES = 64 * 1024;

/**
 * Routes this thread's global `fetch` through the proxies too: requests for keys of identity services and OpenID
 * providers, and for webhooks. Call it once when the process starts.
 */
export function useProxies(proxies: Proxies): void {
  if (proxies.HTTP_PROXY || proxies.HTTPS_PROXY) setGlobalDispatcher(new EnvHttpProxyAgent(agentOptions(proxies)));
}

export function createOutbound({ timeoutMs, proxies = {} }: OutboundOptions): Outbound {
  const timeouts = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  const limits = { ...timeouts, connections: MAX_CONNECTIONS, maxHeaderSize: MAX_HEAD_BYTES, allowH2: false };
  const openPool = (origin: string | URL, options: object) => new Pool(origin, { ...options, ...limits });
  const dispatcher = new EnvHttpProxyAgent({
    ...agentOptions(proxies),
    ...limits,
    connectTimeout: timeoutMs,
    connect: { timeout: timeoutMs },
    // Without these factories, connections to a proxy would have undici's default limits.
    factory: openPool,
    clientFactory: openPool,
  });

  async function send(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<Dispatcher.ResponseData> {
    const refusal = new AbortController();
    let interimResponses = 0;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await request(url, {
        dispatcher,
        headers,
        ...timeouts,
        signal: signal ? AbortSignal.any([signal, refusal.signal]) : refusal.signal,
        // Each interim response restarts undici's own headers timeout.
        onInfo() {
          if (++interimResponses > MAX_INTERIM_RESPONSES)
            refusal.abort(new ResponseInvalidError(`it sends more than ${MAX_INTERIM_RESPONSES} interim responses`));
          timer ??= setTimeout(() => {
            refusal.abort(new Error(`its headers did not end within ${timeoutMs / 1000} s`));
          }, timeoutMs);
        },
      });
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    async get(url, { headers = {}, signal } = {}) {
      for (let isFirstTry = true; ; isFirstTry = false) {
        try {
          const { statusCode, headers: received, body } = await send(url, headers, signal);
          return {
            status: statusCode,
            headers: Object.fromEntries(Object.entries(received).map(([name, value]) => [name, String(value)])),
            chunks: readChunks(body, timeoutMs),
            discard: () => {
              body.dump({ limit: MAX_DISCARDED_BYTES, signal: AbortSignal.timeout(timeoutMs) }).catch(() => undefined);
            },
          };
        } catch (error) {
          signal?.throwIfAborted();
          // The server may close an idle connection at the moment when it is reused.
          if (!isFirstTry || !isClosedWhileIdle(error)) throw translateError(error);
        }
      }
    },
    close: () => dispatcher.destroy(),
  };
}

/** Empty strings for unset proxies: with undefined, undici would read the environment itself. */
function agentOptions({ HTTP_PROXY = '', HTTPS_PROXY = '', NO_PROXY = '' }: Proxies): EnvHttpProxyAgent.Options {
  return { httpProxy: HTTP_PROXY, httpsProxy: HTTPS_PROXY, noProxy: NO_PROXY };
}

async function* readChunks(body: AsyncIterable<Uint8Array>, timeoutMs: number): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>;
  let bytes = 0;
  // Only time spent waiting for the server counts, not the time in which a chunk is processed.
  let waitedMs = 0;
  try {
    for (;;) {
      const askedAt = performance.now();
      const { done, value } = await iterator.next();
      if (done) return;
      bytes += value.length;
      waitedMs += performance.now() - askedAt;
      if (bytes >= MIN_BODY_BYTES) bytes = waitedMs = 0;
      else if (waitedMs > timeoutMs) throw new Error(`only ${bytes} bytes received in ${timeoutMs / 1000} s`);
      yield value;
    }
  } catch (error) {
    throw translateError(error);
  } finally {
    await iterator.return?.();
  }
}

function isClosedWhileIdle(error: unknown): boolean {
  const { code } = error as { code?: unknown };
  return (
    code === 'ECONNRESET' ||
    code === 'EPIPE' ||
    (error instanceof errors.SocketError && (error.socket?.bytesRead ?? 0) > 0)
  );
}

/** Maps protocol errors, which are permanent, to ResponseInvalidError; other errors may be transient. */
function translateError(error: unknown): unknown {
  if (error instanceof errors.HTTPParserError)
    return new ResponseInvalidError(`it cannot be parsed (${error.code})`, { cause: error });
  if (error instanceof errors.HeadersOverflowError)
    return new ResponseInvalidError(`its headers exceed ${MAX_HEAD_BYTES} bytes`, { cause: error });
  return error;
}
