// Outbound proxies, from the usual environment variables. Node 20 supports none, and later versions only for a whole
// process, which is not for a library to change. Decision 30 compares the alternatives.

import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as connectTcp, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { connect as connectTls } from 'node:tls';

/** To accept a connection, and to open a tunnel. */
const TIMEOUT_MS = 30_000;
const DEFAULT_PORTS: Record<string, number> = { 'http:': 80, 'https:': 443 };
/** A response with one of these has no body. */
const EMPTY_STATUS = new Set([204, 205, 304]);

export interface FetchOptions {
  method?: string;
  headers?: Record<string, string>;
  body?: string | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Sends a request as `fetch` does, through the proxy of its URL if there is one, and follows no redirect.
 * @throws Error if the connection fails; the signal's reason
 */
export async function fetchDirectly(url: URL, options: FetchOptions = {}): Promise<Response> {
  const { method = 'GET', headers = {}, body, signal } = options;
  const proxied = proxyOptions(url);
  if (!proxied) {
    const init = { method, headers, redirect: 'manual', ...(body !== undefined && { body }) } as const;
    return await fetch(url, { ...init, ...(signal && { signal }) });
  }
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const request = send(url, {
    ...proxied,
    method,
    headers: { ...headers, ...proxied.headers },
    ...(signal && { signal }),
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  // A later failure is one of the body.
  request.on('error', () => undefined);
  const status = response.statusCode ?? 0;
  const isEmpty = EMPTY_STATUS.has(status);
  if (isEmpty) response.resume();
  return new Response(isEmpty ? null : (Readable.toWeb(response) as ReadableStream<Uint8Array>), {
    status,
    headers: Object.entries(response.headersDistinct).flatMap(([name, values = []]) =>
      values.map((value): [string, string] => [name, value]),
    ),
  });
}

/** Options of `request` of node:http and node:https that lead through a proxy. */
export interface ProxyOptions {
  createConnection: NonNullable<RequestOptions['createConnection']>;
  headers: Record<string, string>;
  path?: string;
}

/** Finds the proxy of a URL and returns how to send a request through it; undefined if there is none. */
export function proxyOptions(url: URL, env: NodeJS.ProcessEnv = process.env): ProxyOptions | undefined {
  const proxy = proxyOf(url, env);
  if (!proxy) return undefined;
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const authorization: Record<string, string> =
    credentials === ':' ? {} : { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` };
  if (url.protocol === 'http:')
    return {
      path: url.href,
      headers: { host: url.host, ...authorization },
      createConnection: () => connectTo(proxy),
    };
  return {
    headers: {},
    createConnection: (_options, callback) => {
      openTunnel(proxy, url, authorization).then(
        (socket) => callback?.(null, socket),
        // The callback's second parameter is used only without an error.
        (error: unknown) => callback?.(error as Error, undefined as never),
      );
      return undefined;
    },
  };
}

/**
 * Chooses the proxy of a URL. Names in lower case come first; HTTPS_PROXY defaults to HTTP_PROXY. This machine itself
 * is reached without one.
 * @throws Error if the variable holds no address of a proxy
 */
function proxyOf(url: URL, env: NodeJS.ProcessEnv): URL | undefined {
  const names = url.protocol === 'https:' ? ['HTTPS_PROXY', 'HTTP_PROXY'] : ['HTTP_PROXY'];
  const name = names.flatMap((it) => [it.toLowerCase(), it]).find((it) => env[it]?.trim());
  const address = name === undefined ? undefined : env[name]?.trim();
  if (!address || isLocal(url.hostname) || isExempt(url, env['no_proxy'] || env['NO_PROXY'] || '')) return undefined;
  const written = address.includes('://') ? address : `http://${address}`;
  if (URL.canParse(written)) {
    const proxy = new URL(written);
    if (Object.hasOwn(DEFAULT_PORTS, proxy.protocol)) return proxy;
  }
  // It may contain a password.
  throw new Error(`${name} is not the address of a proxy: expected a URL such as http://proxy.example.org:3128`);
}

function isLocal(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}

/** Tells whether NO_PROXY names the host, or a domain above it, with this port or without one; `*` names all. */
function isExempt(url: URL, noProxy: string): boolean {
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => {
      if (entry === '') return false;
      if (entry === '*') return true;
      const [, host = '', port] = /^(?:\*?\.)?(.*?)(?::(\d+))?$/.exec(entry) ?? [];
      if (port !== undefined && Number(port) !== portOf(url)) return false;
      return url.hostname === host || url.hostname.endsWith(`.${host}`);
    });
}

function portOf({ port, protocol }: URL): number | undefined {
  return port === '' ? DEFAULT_PORTS[protocol] : Number(port);
}

/** The host of a URL as sockets take it, without the brackets of IPv6. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function connectTo(proxy: URL): Socket {
  const address = { host: hostOf(proxy), port: portOf(proxy) ?? 0, timeout: TIMEOUT_MS };
  const socket = proxy.protocol === 'https:' ? connectTls({ ...address, ...serverName(proxy) }) : connectTcp(address);
  socket.once('timeout', () => {
    if (socket.connecting) socket.destroy(new Error('the proxy does not answer'));
  });
  return socket;
}

/** Opens a tunnel (CONNECT, RFC 9110 section 9.3.6), and TLS to the target in it. */
async function openTunnel(proxy: URL, target: URL, authorization: Record<string, string>): Promise<Socket> {
  const authority = `${target.hostname}:${portOf(target)}`;
  const request = httpRequest({
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...authorization },
    createConnection: () => connectTo(proxy),
  });
  request.setTimeout(TIMEOUT_MS, () => {
    request.destroy(new Error('it does not answer'));
  });
  request.end();
  let opened: [IncomingMessage, Socket];
  try {
    opened = (await once(request, 'connect')) as [IncomingMessage, Socket];
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the proxy ${proxy.host} cannot be used: ${reason}`, { cause });
  }
  const [{ statusCode = 0 }, socket] = opened;
  if (statusCode >= 200 && statusCode < 300)
    return connectTls({ socket, host: hostOf(target), ...serverName(target) });
  socket.destroy();
  const hint = statusCode === 407 ? ': it requires a user and a password, as in http://user:password@host:port' : '';
  throw new Error(`the proxy ${proxy.host} refuses connections to ${authority} (status ${statusCode})${hint}`);
}

/** TLS sends names, but no addresses. */
function serverName(url: URL): { servername?: string } {
  const host = hostOf(url);
  return isIP(host) === 0 ? { servername: host } : {};
}
