// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

import type { FastifyInstance, FastifyReply } from 'fastify';

export interface EventStream {
  /** Sends an event; drops it if earlier ones are still buffered because the client does not read. */
  send(event: string, data: unknown): void;
  /** Calls back once, when the client disconnects, the server stops, or the right to watch has ended. */
  onClose(callback: () => void): void;
}

/**
 * Sends the response as an event stream.
 * @param isAllowed asked at each heartbeat; the stream ends when it resolves to false. If it rejects, such as while
 *   the database is unavailable, the next heartbeat asks again
 */
export type OpenEventStream = (reply: FastifyReply, isAllowed: () => Promise<boolean>) => EventStream;

/** Below the idle timeouts of proxies, for example nginx's 60 s. */
const HEARTBEAT_MS = 15_000;
/** How long a browser waits before it reconnects. */
const RETRY_MS = 2_000;

export interface EventStreamOptions {
  /** Interval of the comments that keep idle proxies from closing the stream. Default 15 s. */
  heartbeatMs?: number | undefined;
}

/**
 * Returns a function that opens streams in a scope of the app. Streams end when the app closes, so that they do not
 * delay the shutdown.
 */
export function eventStreams(
  app: FastifyInstance,
  { heartbeatMs = HEARTBEAT_MS }: EventStreamOptions = {},
): OpenEventStream {
  const open = new Set<() => void>();
  let isClosing = false;
  app.addHook('preClose', (done) => {
    isClosing = true;
    for (const end of open) end();
    done();
  });

  return (reply, isAllowed) => {
    reply.hijack();
    reply.request.endsWithConnection = true;
    const { raw } = reply;
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      // nginx would buffer the events.
      'x-accel-buffering': 'no',
    });
    const end = () => {
      raw.end();
    };
    const beat = async () => {
      if (!(await isAllowed().catch(() => true))) end();
      else if (!raw.writableEnded) raw.write(': heartbeat\n\n');
    };
    const heartbeat = setInterval(() => void beat(), heartbeatMs);
    open.add(end);
    raw.once('close', () => {
      clearInterval(heartbeat);
      open.delete(end);
    });
    raw.write(`retry: ${RETRY_MS}\n\n`);
    // HEAD has the headers only.
    if (isClosing || reply.request.method === 'HEAD') end();
    return {
      send(event, data) {
        if (!raw.writableEnded && !raw.writableNeedDrain)
          raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
      },
      onClose: (callback) => {
        raw.once('close', callback);
      },
    };
  };
}
