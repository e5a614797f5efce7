// Events for consumers: pages of the outbox, streams of it, and its retention.

import { enforce, isStillAllowed, policy, type Actor, type Caller } from '../access/index.ts';
import type { Database } from '../db/index.ts';
import { inBatches, type Job } from '../jobs/index.ts';
import { EventsGoneError } from './errors.ts';
import { createFeed } from './feed.ts';
import { createOpenStreams } from './open-streams.ts';
import { createRenderer, isWanted, toFilter } from './operations.ts';
import { isBefore, OLDEST, type Position, type StoredEvent } from './outbox.ts';
import { eventRepository } from './repository.ts';
import { DEFAULT_PAGE_SIZE, type EventsQuery, type StreamQuery } from './schemas.ts';

/** An event as JSON on one line. */
export interface StreamedEvent {
  id: string;
  json: string;
}

/** A part of a stream: events for the caller, maybe none, and the cursor behind them. */
export interface StreamPart {
  events: StreamedEvent[];
  position: string;
}

export interface EventFollower {
  /** The cursor at which it begins. */
  position: string;
  /** Reads the caller again; tells whether they may still read events. */
  isAllowed: () => Promise<boolean>;
  /** Yields events as they are committed, until the signal is aborted. The next are read once the last are taken. */
  parts: (signal: AbortSignal) => AsyncGenerator<StreamPart>;
}

export interface Events {
  /**
   * Reads a page, oldest first, as JSON: `{ results, next }`.
   * @throws events_gone, event_type_unknown, unauthenticated, forbidden
   */
  list(caller: Caller, query: EventsQuery): Promise<string>;
  /**
   * Follows the outbox.
   * @param lastEventId where an interrupted stream goes on
   * @throws as `list`; too_many_streams
   */
  follow(actor: Actor, query: StreamQuery, lastEventId: string | undefined): Promise<EventFollower>;
  /** Number of streams that are open in this process. */
  openStreams(): number;
  /** For how long transactions in progress have been holding events back, in seconds. */
  heldSeconds(): Promise<number>;
  /** Makes events readable that were copied from another PostgreSQL server with their database. */
  adopt(): Promise<void>;
  /** Job that deletes events past their retention, in batches. */
  readonly pruning: Job<number, number>;
  close(): Promise<void>;
}

export interface EventsOptions {
  database: Database;
  /** PUBLIC_URL: the source of all events. */
  publicUrl: string;
  /** EVENTS_DAYS. */
  retentionDays: number;
  /** Called with errors of background work. */
  onError: (error: unknown) => void;
}

const DAY_MS = 86_400_000;
const PRUNE_EVERY_MS = 3_600_000;
/** Events that a page reads at once, and at most: a limited caller may see few of them. */
const BATCH_SIZE = 500;
const MAX_READ = 5_000;

export function createEvents({ database, publicUrl, retentionDays, onError }: EventsOptions): Events {
  const rows = eventRepository(database);
  const feed = createFeed({
    read: (after, limit) => rows.readAfter(after, limit),
    recover: () => rows.adopt(),
    onError,
  });

  const openStreams = createOpenStreams();
  const render = createRenderer(publicUrl);

  /** Finds the place of a cursor. @throws events_gone */
  async function find(cursor: string): Promise<Position> {
    if (cursor === OLDEST.id) return OLDEST;
    if (cursor === 'latest') return rows.latest();
    const position = await rows.find(cursor);
    if (!position)
      throw new EventsGoneError(
        `The events after this cursor are no longer known: they are kept for ${retentionDays} days, and a restore ` +
          'may have lost some. Read what you follow again, then go on with after=latest.',
      );
    return position;
  }

  return {
    async list(caller, { after = OLDEST.id, size = DEFAULT_PAGE_SIZE, ...query }) {
      enforce(policy.readEvents(caller));
      const filter = toFilter(caller, query);
      let position = await find(after);
      // Before the events are read: those that are committed meanwhile are for the next page.
      const end = await rows.latest();
      const results: string[] = [];
      let isAtEnd = false;
      for (let read = 0; read < MAX_READ && results.length < size && !isAtEnd; read += BATCH_SIZE) {
        const batch = await rows.readAfter(position, BATCH_SIZE, filter.artefacts && [...filter.artefacts]);
        isAtEnd = batch.length < BATCH_SIZE;
        for (const row of batch) {
          if (results.length === size) {
            isAtEnd = false;
            break;
          }
          position = row.position;
          if (isWanted(caller, filter, row)) results.push(render(caller, row));
        }
      }
      if (isAtEnd && isBefore(position, end)) position = end;
      return `{"results":[${results.join(',')}],"next":${JSON.stringify(position.id)}}`;
    },

    async follow(actor, { after = 'latest', ...query }, lastEventId) {
      enforce(policy.readEvents(actor.caller));
      let { caller } = actor;
      const filter = toFilter(caller, query);
      const { lifetime } = feed;
      // An empty header counts as absent.
      const start = await find(lastEventId || after);
      openStreams.assertRoom(caller);
      const toSent = (event: StoredEvent) =>
        isWanted(caller, filter, event) ? [{ id: event.id, json: render(caller, event) }] : [];
      return {
        position: start.id,
        isAllowed: () =>
          isStillAllowed(database, actor, (current) => {
            caller = current;
            return policy.readEvents(current);
          }),
        async *parts(closed) {
          const signal = AbortSignal.any([closed, lifetime]);
          const close = openStreams.add(actor.caller);
          try {
            for (let position = start; ;) {
              const batch = await feed.next(position, signal);
              if (!batch) return;
              position = batch.at(-1)?.position ?? position;
              yield { events: batch.flatMap(toSent), position: position.id };
            }
          } finally {
            close();
          }
        },
      };
    },

    openStreams: () => openStreams.total(),

    async heldSeconds() {
      const since = await rows.heldSince();
      return since === undefined ? 0 : Math.max(0, (Date.now() - Date.parse(since)) / 1000);
    },

    async adopt() {
      await rows.adopt();
    },

    pruning: {
      name: 'events.prune',
      makesRoom: true,
      everyMs: PRUNE_EVERY_MS,
      async run({ signal, progress }) {
        // Databases are also moved below running servers.
        await rows.adopt();
        const before = new Date(Date.now() - retentionDays * DAY_MS).toISOString();
        return inBatches((limit) => rows.prune(before, limit), { signal, onProgress: progress });
      },
    },
    close() {
      feed.close();
      return Promise.resolve();
    },
  };
}
