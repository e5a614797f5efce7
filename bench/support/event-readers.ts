// Readers of the stream of events that go on at another replica whenever their connection ends.

import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { INTERNAL } from './berth-process.ts';
import { openEventStream, type OpenStream, type StreamedEvent } from './event-stream.ts';

export interface EventReader {
  /** In the order in which they arrived, over all connections. */
  readonly events: readonly StreamedEvent[];
  /** Number of connections so far. */
  readonly connections: number;
  /** Refused connections to replicas that were running. */
  readonly refusals: readonly string[];
  stop(): Promise<void>;
}

const RETRY_MS = 50;

/**
 * Reads from the oldest event on.
 * @param maxConnectionMs ends each connection itself, at a random time up to this; default: never
 */
export function startEventReader(pickUrl: () => string, maxConnectionMs?: number): EventReader {
  const events: StreamedEvent[] = [];
  const refusals: string[] = [];
  let [connections, isStopped] = [0, false];
  let after = 'oldest';
  let stream: OpenStream | undefined;

  async function connect(): Promise<void> {
    stream = await openEventStream(
      { url: pickUrl() },
      {
        headers: INTERNAL,
        after,
        onCursor: (id) => {
          after = id;
        },
        onEvent: (event) => {
          events.push(event);
        },
      },
    );
    connections++;
    const timer = maxConnectionMs === undefined ? undefined : setTimeout(stream.close, randomInt(maxConnectionMs));
    await stream.ended;
    clearTimeout(timer);
  }

  const reading = (async () => {
    while (!isStopped) {
      await connect().catch((error: unknown) => {
        if (String(error).includes('got status')) refusals.push(String(error));
      });
      await sleep(RETRY_MS);
    }
  })();
  return {
    events,
    refusals,
    get connections() {
      return connections;
    },
    async stop() {
      isStopped = true;
      stream?.close();
      await reading;
    },
  };
}
