// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

import { once } from 'node:events';
import type { FastifyInstance, FastifyReply } from 'fastify';

export interface ServerSentEvent {
  /** Name of the event. Default: `message`, as browsers name it. */
  event?: string;
  /** Where the client resumes after an interruption: its `Last-Event-ID`. */
  id?: string;
  /** Text on one line. */
  data: string;
}

export interface EventStream {
  /** Sends an event. A client that does not read is disconnected: it reconnects, and resumes. */
  send(event: ServerSentEvent): void;
  /** Resolves once the client has taken what was sent, or is disconnected. */
  drained(): Promise<void>;
  end(): void;
  /** Calls back once, when the connection is closed. */
  onClose(callback: () => void): void;
  /** Aborted when the client disconnects, the server stops, or the right to watch has ended. */
  readonly signal: AbortSignal;
}

export interface StreamOptions {
  /**
   * Asked at each heartbeat; the stream ends when it resolves to false. If it rejects, such as while the database is
   * unavailable, the next heartbeat asks again.
   */
  isAllowed: () => Promise<boolean>;
  /** Of a stream whose events have IDs: the one from which the client can resume now. */
  position?: () => string;
}

/** Sends the response as an event stream. */
export type OpenEventStream = (reply: FastifyReply, options: StreamOptions) => EventStream;

/** Below the idle timeouts of proxies, for example nginx's 60 s. */
const HEARTBEAT_MS = 15_000;
/** How long a client may take to read what is buffered for it. */
const STALL_MS = 30_000;
/** What may be buffered for it before the next event. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** How long a browser waits before it reconnects. */
const RETRY_MS = 2_000;

const CLOSED: Omit<EventStream, 'signal'> = {
  send: () => undefined,
  drained: () => Promise.resolve(),
  end: () => undefined,
  onClose: (callback) => {
    callback();
  },
};

export interface EventStreamOptions {
  /** Interval of the comments that keep idle proxies from closing the stream. Default 15 s. */
  heartbeatMs?: number | undefined;
  /** Time after which a client that does not read is disconnected. Default 30 s. */
  stallMs?: number | undefined;
}

/**
 * Returns a function that opens streams in a scope of the app. Streams end when the app closes, so that they do not
 * delay the shutdown.
 */
export function eventStreams(
  app: FastifyInstance,
  { heartbeatMs = HEARTBEAT_MS, stallMs = STALL_MS }: EventStreamOptions = {},
): OpenEventStream {
  const open = new Set<() => void>();
  let isClosing = false;
  app.addHook('preClose', (done) => {
    isClosing = true;
    for (const end of open) end();
    done();
  });

  return (reply, { isAllowed, position }) => {
    reply.hijack();
    reply.request.endsWithConnection = true;
    const { raw } = reply;
    const closed = new AbortController();
    // A client that has left meanwhile: its connection does not close again.
    if (raw.destroyed) {
      closed.abort();
      return { ...CLOSED, signal: closed.signal };
    }
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      // nginx would buffer the events.
      'x-accel-buffering': 'no',
    });
    const end = () => {
      if (raw.writableNeedDrain) raw.destroy();
      else raw.end();
      closed.abort();
    };
    let stall: NodeJS.Timeout | undefined;
    const write = (text: string) => {
      if (raw.writableEnded || raw.destroyed) return;
      if (raw.writableLength > MAX_BUFFERED_BYTES) raw.destroy();
      else if (!raw.write(text)) stall ??= setTimeout(() => raw.destroy(), stallMs);
    };
    raw.on('drain', () => {
      clearTimeout(stall);
      stall = undefined;
    });
    // An ID without data moves the client's `Last-Event-ID`; many parsers pass over it, and report comments.
    const heartbeat = () => {
      const id = position?.();
      return id === undefined ? ': heartbeat\n\n' : `: heartbeat ${id}\nid: ${id}\n\n`;
    };
    const beat = async () => {
      if (!(await isAllowed().catch(() => true))) return end();
      if (!raw.writableNeedDrain) write(heartbeat());
    };
    const timer = setInterval(() => void beat(), heartbeatMs);
    open.add(end);
    raw.once('close', () => {
      clearInterval(timer);
      clearTimeout(stall);
      open.delete(end);
      closed.abort();
    });
    write(`retry: ${RETRY_MS}\n\n${heartbeat()}`);
    // HEAD has the headers only.
    if (isClosing || reply.request.method === 'HEAD') end();
    return {
      send({ event, id, data }) {
        const fields = { ...(id !== undefined && { id }), ...(event !== undefined && { event }), data };
        write(
          `${Object.entries(fields)
            .map(([name, value]) => `${name}: ${value}\n`)
            .join('')}\n`,
        );
      },
      async drained() {
        const { signal } = closed;
        if (raw.writableNeedDrain && !signal.aborted) await once(raw, 'drain', { signal }).catch(() => undefined);
      },
      end,
      onClose: (callback) => {
        raw.once('close', callback);
      },
      signal: closed.signal,
    };
  };
}
