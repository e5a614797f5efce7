// Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): streams that a stop ends.

import type { FastifyInstance, FastifyReply } from 'fastify';

export interface EventStream {
  /** Sends an event; one that would only queue up behind a client that does not read is left out. */
  send(event: string, data: unknown): void;
  /** Calls back once, when the client has gone or the server stops. */
  onClose(callback: () => void): void;
}

/** Opens the answer of a request as a stream of events. */
export type OpenEventStream = (reply: FastifyReply) => EventStream;

/** Below the idle time-outs of proxies, nginx's 60 s for example. */
const HEARTBEAT_MS = 15_000;
/** For how long a browser waits before it connects again. */
const RETRY_MS = 2_000;

/**
 * Makes what opens streams in a scope of the app. They end when the app closes, so that none holds up the stop.
 * @param options `heartbeatMs`: how often a comment shows a proxy that the stream lives; default 15 s
 */
export function eventStreams(
  app: FastifyInstance,
  { heartbeatMs = HEARTBEAT_MS }: { heartbeatMs?: number } = {},
): OpenEventStream {
  const open = new Set<() => void>();
  let isClosing = false;
  app.addHook('preClose', (done) => {
    isClosing = true;
    for (const end of open) end();
    done();
  });

  return (reply) => {
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      // nginx would gather them.
      'x-accel-buffering': 'no',
    });
    const heartbeat = setInterval(() => {
      raw.write(': still here\n\n');
    }, heartbeatMs);
    const end = () => {
      raw.end();
    };
    open.add(end);
    raw.once('close', () => {
      clearInterval(heartbeat);
      open.delete(end);
    });
    raw.write(`retry: ${RETRY_MS}\n\n`);
    if (isClosing) end();
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
