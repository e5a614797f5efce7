// HTTP client for requests to other servers: connection pools, the operator's proxies, timeouts. Which addresses a
// redirect may lead to is decided in connections.ts.

import { lookup } from 'node:dns';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { EnvHttpProxyAgent, errors, Pool, request, setGlobalDispatcher, type Dispatcher } from 'undici';
import { traceHeaders } from '../tracing/index.ts';
import type { Networks } from './addresses.ts';
import { createConnections, type Resolve } from './connections.ts';
import { AddressRefusedError, ResponseInvalidError } from './response-errors.ts';

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
  /** Where redirects may lead, although these addresses are private. */
  privateNetworks?: Networks;
}

export interface GetOptions {
  headers?: Readonly<Record<string, string>>;
  signal?: AbortSignal | undefined;
  /**
   * URL of the server that redirected here, from another origin: the address must then be no further inside than that
   * server's own, see `Depth`.
   */
  redirectedFrom?: URL | undefined;
}

export interface OutboundResponse {
  status: number;
  /** By lower-case name; repeated headers are joined with commas. */
  headers: Readonly<Record<string, string>>;
  /**
   * The body in chunks, which the reader owns. Read it to the end, or call `discard`.
   * @throws ResponseInvalidError, also when bytes follow behind its end; an Error when it is cut short, or slower than
   *   the timeout allows; the signal's reason
   */
  chunks: AsyncIterable<Uint8Array>;
  /** Drains a short rest of the body, so that the connection can be reused; otherwise closes the connection. */
  discard(): void;
}

export interface Outbound {
  /**
   * Sends a GET without following redirects. Waits while all connections to the server are in use.
   * @throws ResponseInvalidError, AddressRefusedError; an Error when the server cannot be reached or is too slow; the
   *   signal's reason
   */
  get(url: URL, options?: GetOptions): Promise<OutboundResponse>;
  /** Closes all connections; requests in flight fail. */
  close(): Promise<void>;
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

/** @param resolve finds the addresses of names; default: as the operating system does */
export function createOutbound(
  { timeoutMs, proxies = {}, privateNetworks = [] }: OutboundOptions,
  resolve: Resolve = lookup,
): Outbound {
  const timeouts = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
  const limits = { ...timeouts, connections: MAX_CONNECTIONS, maxHeaderSize: MAX_HEAD_BYTES, allowH2: false };
  /** How often each server has sent bytes that belong to no response. */
  const strayBytes = new Map<string, number>();
  const openPool = (origin: string | URL, options: object) =>
    new Pool(origin, { ...options, ...limits }).on('disconnect', (from, _targets, error) => {
      if (isStray(error)) strayBytes.set(from.origin, strayBytesOf(from.origin) + 1);
    });
  const strayBytesOf = (origin: string) => strayBytes.get(origin) ?? 0;
  const connections = createConnections({
    privateNetworks,
    timeoutMs,
    resolve,
    open: (connect) =>
      new EnvHttpProxyAgent({
        ...agentOptions(proxies),
        ...limits,
        connectTimeout: timeoutMs,
        connect,
        // Without these factories, connections to a proxy would have undici's default limits.
        factory: openPool,
        clientFactory: openPool,
      }),
  });

  async function send(
    url: URL,
    { headers = {}, signal, redirectedFrom }: GetOptions,
  ): Promise<Dispatcher.ResponseData> {
    const dispatcher = connections.dispatcherFor(url, redirectedFrom);
    const refusal = new AbortController();
    let interimResponses = 0;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await request(url, {
        dispatcher,
        headers: { ...traceHeaders(), ...headers },
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
    async get(url, options = {}) {
      const { signal } = options;
      for (let isFirstTry = true; ; isFirstTry = false) {
        try {
          const stray = strayBytesOf(url.origin);
          const { statusCode, headers: received, body } = await send(url, options);
          const isClean = () => strayBytesOf(url.origin) === stray;
          return {
            status: statusCode,
            headers: Object.fromEntries(Object.entries(received).map(([name, value]) => [name, String(value)])),
            chunks: readChunks(body, timeoutMs, isClean),
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
    close: connections.close,
  };
}

/** Empty strings for unset proxies: with undefined, undici would read the environment itself. */
function agentOptions({ HTTP_PROXY = '', HTTPS_PROXY = '', NO_PROXY = '' }: Proxies): EnvHttpProxyAgent.Options {
  return { httpProxy: HTTP_PROXY, httpsProxy: HTTPS_PROXY, noProxy: NO_PROXY };
}

async function* readChunks(
  body: AsyncIterable<Uint8Array>,
  timeoutMs: number,
  isClean: () => boolean,
): AsyncGenerator<Uint8Array> {
  const iterator = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>;
  let bytes = 0;
  // Only time spent waiting for the server counts, not the time in which a chunk is processed.
  let waitedMs = 0;
  try {
    for (;;) {
      const askedAt = performance.now();
      const { done, value } = await iterator.next();
      if (done) {
        // Bytes behind the end of the response are found by the parser, which then closes the connection: its close
        // event comes in the next turn of the event loop.
        await nextTurn();
        await nextTurn();
        if (!isClean()) throw new ResponseInvalidError('bytes follow behind its end');
        return;
      }
      bytes += value.length;
      waitedMs += performance.now() - askedAt;
      if (bytes >= MIN_BODY_BYTES) bytes = waitedMs = 0;
      else if (waitedMs > timeoutMs) throw new Error(`only ${bytes} bytes received in ${timeoutMs / 1000} s`);
      yield value;
    }
  } catch (error) {
    throw translateError(error);
  } finally {
    await iterator.return?.().catch(() => undefined);
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

/** Whether a connection was closed because bytes came that are no response, or that no request had asked for. */
function isStray(error: Error): boolean {
  return (
    error instanceof errors.HTTPParserError ||
    (error instanceof errors.SocketError && error.message === 'bad response')
  );
}

/** Maps protocol errors, which are permanent, to ResponseInvalidError; other errors may be transient. */
function translateError(error: unknown): unknown {
  if (error instanceof errors.ResponseContentLengthMismatchError)
    return new ResponseInvalidError('its length is not the announced one', { cause: error });
  if (error instanceof errors.HTTPParserError)
    return new ResponseInvalidError(`it cannot be parsed (${error.code})`, { cause: error });
  if (error instanceof errors.HeadersOverflowError)
    return new ResponseInvalidError(`its headers exceed ${MAX_HEAD_BYTES} bytes`, { cause: error });
  return error instanceof AggregateError
    ? (error.errors.find((one) => one instanceof AddressRefusedError) ?? error)
    : error;
}
