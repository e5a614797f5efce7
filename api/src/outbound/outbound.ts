// Requests to other servers: pooled connections, the operator's proxies, deadlines.

import { EnvHttpProxyAgent, errors, Pool, request, setGlobalDispatcher, type Dispatcher } from 'undici';

/** Outbound proxies, by the names of the usual environment variables. */
export interface Proxies {
  HTTP_PROXY?: string | undefined;
  /** Default: HTTP_PROXY. */
  HTTPS_PROXY?: string | undefined;
  /** Hosts that are reached without a proxy, separated by commas; `*` for all. */
  NO_PROXY?: string | undefined;
}

/** Plain data, so that a worker thread can open one of its own. */
export interface OutboundOptions {
  /** To accept a connection, to send a whole response head, and to send each 16 KiB of a body. */
  timeoutMs: number;
  proxies?: Proxies;
}

export interface OutboundResponse {
  status: number;
  /** By lower-case name; a header that came several times is joined with commas. */
  headers: Readonly<Record<string, string>>;
  /**
   * The body, chunk by chunk, each owned by whoever reads it. Read it to its end, or call `discard`.
   * @throws ResponseInvalidError; an Error when it is cut short, or slower than the timeout allows; the signal's
   *   reason /
   */
  chunks: AsyncIterable<Uint8Array>;
  /** Reads a short rest, so that the connection can be used again, and closes the connection otherwise. */
  discard(): void;
}

export interface Outbound {
  /**
   * Sends a GET; redirects are not followed. Waits while all connections to the server are in use.
   * @throws ResponseInvalidError; an Error when the server cannot be reached or is too slow; the signal's reason
   */
  get(
    url: URL,
    options?: { headers?: Readonly<Record<string, string>>; signal?: AbortSignal | undefined },
  ): Promise<OutboundResponse>;
  /** Closes all connections; requests in flight fail. */
  close(): Promise<void>;
}

/** The server does not speak HTTP, or more of it than anybody has a use for. */
export class ResponseInvalidError extends Error {
  override readonly name = 'ResponseInvalidError';
}

/** To one server: it has others to serve, and more bring nothing but longer waits. */
export const MAX_CONNECTIONS = 8;
const MAX_HEAD_BYTES = 64 * 1024;
const MAX_INTERIM_RESPONSES = 8;
/** A body that brings less than this in a whole timeout is no better than silence. */
const MIN_BODY_BYTES = 16 * 1024;
/** Of a body that nobody wants: more costs more than a new connection. */
const MAX_DISCARDED_BYTES = 64 * 1024;

/**
 * Sends the requests of the standard `fetch` of this thread through the proxies too: those for keys of identity
 * services and OpenID providers, and for webhooks. For the start of a process. /
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
    // The connections to a proxy would have the library's own limits.
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
        // Each interim response begins the library's own deadline anew.
        onInfo() {
          if (++interimResponses > MAX_INTERIM_RESPONSES)
            refusal.abort(new ResponseInvalidError('it sends interim responses without an end'));
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
          // A kept connection may be closed by the other side at the moment when it is used again.
          if (!isFirstTry || !isClosedWhileIdle(error)) throw explained(error);
        }
      }
    },
    close: () => dispatcher.destroy(),
  };
}

/** Empty texts where there is none, or the library would look into the environment itself. */
function agentOptions({ HTTP_PROXY = '', HTTPS_PROXY = '', NO_PROXY = '' }: Proxies): EnvHttpProxyAgent.Options {
  return { httpProxy: HTTP_PROXY, httpsProxy: HTTPS_PROXY, noProxy: NO_PROXY };
}

async function* readChunks(body: AsyncIterable<Uint8Array>, timeoutMs: number): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>;
  let bytes = 0;
  // While the chunks are used here, the other side owes nothing.
  let waitedMs = 0;
  try {
    for (;;) {
      const askedAt = performance.now();
      const { done, value } = await iterator.next();
      if (done) return;
      bytes += value.length;
      waitedMs += performance.now() - askedAt;
      if (bytes >= MIN_BODY_BYTES) bytes = waitedMs = 0;
      else if (waitedMs > timeoutMs) throw new Error(`only ${bytes} bytes came in ${timeoutMs / 1000} s`);
      yield value;
    }
  } catch (error) {
    throw explained(error);
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

/** Tells what breaks HTTP, which lasts, from what may go better the next time. */
function explained(error: unknown): unknown {
  if (error instanceof errors.HTTPParserError)
    return new ResponseInvalidError(`it does not speak HTTP (${error.code})`, { cause: error });
  if (error instanceof errors.HeadersOverflowError)
    return new ResponseInvalidError(`its headers have more than ${MAX_HEAD_BYTES} bytes`, { cause: error });
  return error;
}
