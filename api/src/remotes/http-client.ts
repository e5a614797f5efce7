// GETs to other servers over connections that are kept and shared: at most so many to each.

import { ConnectionStaleError, HttpConnection, type HttpAnswer } from './http-connection.ts';

export { HttpProtocolError, type HttpAnswer, type HttpBody } from './http-connection.ts';
export type { HttpHeaders } from './http-response.ts';

export interface HttpClient {
  /**
   * Sends a GET; waits while all connections to that server are in use.
   * @throws HttpProtocolError; what the system says; an Error when the head is not there in time; the signal's reason
   */
  get(url: URL, headers: Readonly<Record<string, string>>, signal?: AbortSignal): Promise<HttpAnswer>;
  /** Ends all connections; what is under way fails. */
  close(): void;
}

export interface HttpClientOptions {
  /** See HttpConnectionOptions. */
  timeoutMs: number;
  /** To one server. */
  maxConnections: number;
}

interface Server { open: Set<HttpConnection>; idle: HttpConnection[]; waiting: Set<() => void> }

export function createHttpClient({ timeoutMs, maxConnections }: HttpClientOptions): HttpClient {
  const servers = new Map<string, Server>();

  function serverOf({ origin }: URL): Server {
    const server = servers.get(origin) ?? { open: new Set(), idle: [], waiting: new Set() };
    servers.set(origin, server);
    return server;
  }

  async function connectionTo(url: URL, signal: AbortSignal | undefined): Promise<HttpConnection> {
    const server = serverOf(url);
    for (;;) {
      const idle = server.idle.pop();
      if (idle) return idle;
      if (server.open.size < maxConnections) return connect(server, url);
      await turnOf(server, signal);
    }
  }

  function connect(server: Server, url: URL): HttpConnection {
    const connection = new HttpConnection(url, {
      timeoutMs,
      onFree: () => {
        server.idle.push(connection);
        callNext(server);
      },
      onClosed: () => {
        server.open.delete(connection);
        server.idle = server.idle.filter((other) => other !== connection);
        callNext(server);
      },
    });
    server.open.add(connection);
    return connection;
  }

  return {
    async get(url, headers, signal) {
      for (;;) {
        const connection = await connectionTo(url, signal);
        try {
          return await connection.get(url, headers, signal);
        } catch (error) {
          connection.destroy();
          if (!(error instanceof ConnectionStaleError)) throw error;
        }
      }
    },
    close() {
      for (const { open } of servers.values()) for (const connection of open) connection.destroy();
    },
  };
}

/** Resolves when a connection may have become free. @throws the signal's reason */
async function turnOf(server: Server, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => { resolve(); };
  server.waiting.add(wake);
  signal?.addEventListener('abort', wake);
  await promise;
  signal?.removeEventListener('abort', wake);
  if (!signal?.aborted) return;
  // It may have been this one's turn.
  if (!server.waiting.delete(wake)) callNext(server);
  throw signal.reason;
}

function callNext({ waiting }: Server): void {
  const [next] = waiting;
  if (!next) return;
  waiting.delete(next);
  next();
}
