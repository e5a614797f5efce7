// Kills replicas at random moments while clients upload, edit and delete, and others read the stream of events. Every
// acknowledged change must have exactly one event, every event its change, and every reader must get all events once,
// in the same order, whichever replicas it was connected to. The claim is for 50 kills per site; of the single server,
// the tests run 20.

import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { artefactUrl, INTERNAL, signIn, startBerth } from './support/berth-process.ts';
import { runBench } from './support/bench.ts';
import { createChangeLedger, slotsOf } from './support/change-ledger.ts';
import { laneOf, MAX_PUBLISHERS, publishUntil } from './support/event-publishers.ts';
import { startEventReader, type EventReader } from './support/event-readers.ts';
import type { StreamedEvent } from './support/event-stream.ts';
import type { ServerProcess } from './support/processes.ts';
import { openReplicasSite, openEmbeddedSite, type Site } from './support/sites.ts';

/** The source of all events; by default, it has the port. */
const PUBLIC_URL = 'http://localhost';
const READERS = 6;
const MAX_LIFE_MS = 500;
/** Between two kills of a replica, at any of them. */
const CHANGES = 5;
const CHANGES_TIMEOUT_MS = 60_000;
/** Of the connections of every other reader. */
const MAX_CONNECTION_MS = 1_500;
const CATCH_UP_MS = 20_000;
const POLL_MS = 50;
const PAGE_SIZE = 97;

export const SITES = {
  'SQLite and files': { open: openEmbeddedSite, replicas: 1 },
  'PostgreSQL and files': { open: openReplicasSite, replicas: 3 },
};

export interface EventsCrashReport {
  kills: number;
  acknowledged: number;
  unanswered: number;
  events: number;
  /** Of all readers. */
  connections: number;
  broken: string[];
}

/** Runs until all kills are done, on a fresh site. */
export async function runEventsCrashes(
  kills: number,
  { open, replicas }: { open: () => Promise<Site>; replicas: number },
): Promise<EventsCrashReport> {
  await using site = await open();
  const start = () => startBerth(site.dataDir, { ...site.env, PUBLIC_URL });
  const berths: ServerProcess[] = [];
  // One after the other: the first one migrates.
  for (let count = 0; count < replicas; count++) berths.push(await start());
  try {
    const pickUrl = () => berths[randomInt(berths.length)]!.url;
    // The rows of their users and sessions are locked by each change, those of internal services have none.
    const clients = [INTERNAL, await signIn(berths[0]!.url)];
    const ledger = createChangeLedger();
    const readers = Array.from({ length: READERS }, (_unused, number) =>
      startEventReader(pickUrl, number % 2 === 0 ? undefined : MAX_CONNECTION_MS),
    );
    let isOver = false;
    const publishing = Array.from({ length: MAX_PUBLISHERS }, (_unused, worker) =>
      publishUntil(() => isOver, { pickUrl, headers: clients[worker % clients.length]!, worker, ledger }),
    );
    let killed = 0;
    await Promise.all(
      berths.map(async (_unused, index) => {
        for (;;) {
          await waitForChanges(() => ledger.counts.acknowledged);
          await sleep(randomInt(MAX_LIFE_MS));
          if (killed >= kills) return;
          killed++;
          await berths[index]!.kill();
          berths[index] = await start();
        }
      }),
    ).finally(() => {
      isOver = true;
    });
    await Promise.all(publishing);
    const events = await readPages(berths[0]!.url);
    await catchUp(readers, events.length);
    await Promise.all(readers.map((reader) => reader.stop()));
    return {
      kills: killed,
      ...ledger.counts,
      events: events.length,
      connections: readers.reduce((sum, reader) => sum + reader.connections, 0),
      broken: [
        ...ledger.findBroken(events, laneOf),
        ...findMissingRows(events, await site.query<{ id: string }>('select id from events')),
        ...findDifferences(replay(events), await readArtefacts(berths[0]!.url)),
        ...readers.flatMap((reader, index) => findGaps(`reader ${index}`, reader, events)),
      ],
    };
  } finally {
    await Promise.all(berths.map((berth) => berth.kill()));
  }
}

/** Waits until some more are acknowledged, on a slow machine also. @throws Error if none is for too long */
async function waitForChanges(count: () => number): Promise<void> {
  const deadline = Date.now() + CHANGES_TIMEOUT_MS;
  for (const before = count(); count() < before + CHANGES; await sleep(POLL_MS))
    if (Date.now() > deadline) throw new Error('No change is acknowledged any more.');
}

/** Reads GET /events from the oldest one on. */
async function readPages(url: string): Promise<StreamedEvent[]> {
  const events: StreamedEvent[] = [];
  for (let after = 'oldest'; ;) {
    const query = new URLSearchParams({ after, size: String(PAGE_SIZE) });
    const response = await fetch(`${url}/api/v1/events?${query.toString()}`, { headers: INTERNAL });
    const { results, next } = (await response.json()) as { results: StreamedEvent[]; next: string };
    events.push(...results);
    if (next === after) return events;
    after = next;
  }
}

async function catchUp(readers: readonly EventReader[], count: number): Promise<void> {
  const deadline = Date.now() + CATCH_UP_MS;
  while (readers.some(({ events }) => events.length < count) && Date.now() < deadline) await sleep(POLL_MS);
}

/** Slots of each artefact, by `'<id> <architecture>'`, and the artefacts, by ID. */
type State = Map<string, string>;

/** Returns the state that events lead to, with a line for each event that does not follow from those before. */
function replay(events: readonly StreamedEvent[]): { state: State; broken: string[] } {
  const state: State = new Map();
  const broken: string[] = [];
  for (const { type, subject, data } of events) {
    const isPresent = state.has(subject);
    if (isPresent === (type === 'berth.artefact.created')) broken.push(`${type} of ${subject} is out of order`);
    if (type === 'berth.artefact.deleted')
      for (const key of [...state.keys()]) if (key === subject || key.startsWith(`${subject} `)) state.delete(key);
    if (type === 'berth.artefact.created') state.set(subject, 'present');
    for (const [architecture, digest] of slotsOf(data)) state.set(`${subject} ${architecture}`, digest);
    if (type !== 'berth.slot.removed') continue;
    const slot = `${subject} ${String(data['architecture'])}`;
    if (state.get(slot) !== data['digest']) broken.push(`the removal of ${slot} is out of order`);
    state.delete(slot);
  }
  return { state, broken };
}

async function readArtefacts(url: string): Promise<State> {
  const state: State = new Map();
  for (let skip = 0; ; skip += PAGE_SIZE) {
    const query = `size=${PAGE_SIZE}&skip=${skip}&sort=name`;
    const response = await fetch(`${artefactUrl({ url })}?${query}`, { headers: INTERNAL });
    const { results } = (await response.json()) as {
      results: { _id: string; tarballs: Record<string, { digest: string }> }[];
    };
    for (const { _id: id, tarballs } of results) {
      state.set(id, 'present');
      for (const [architecture, { digest }] of Object.entries(tarballs)) state.set(`${id} ${architecture}`, digest);
    }
    if (results.length === 0) return state;
  }
}

function findDifferences({ state, broken }: { state: State; broken: string[] }, actual: State): string[] {
  const differences = [...new Set([...state.keys(), ...actual.keys()])].flatMap((key) =>
    state.get(key) === actual.get(key) ? [] : [`${key} is ${actual.get(key)}, by its events ${state.get(key)}`],
  );
  return [...broken, ...differences];
}

function findMissingRows(events: readonly StreamedEvent[], rows: readonly { id: string }[]): string[] {
  const read = new Set(events.map(({ id }) => id));
  return rows.flatMap(({ id }) => (read.has(id) ? [] : [`the event ${id} is never read`]));
}

/** Compares what a reader got with all events. */
function findGaps(name: string, { events, refusals }: EventReader, expected: readonly StreamedEvent[]): string[] {
  const at = expected.findIndex((event, index) => JSON.stringify(event) !== JSON.stringify(events[index]));
  const broken = refusals.map((refusal) => `${name}: ${refusal}`);
  if (at >= 0) broken.push(`${name} got ${events[at]?.id} instead of ${expected[at]?.id}, event ${at}`);
  else if (events.length > expected.length) broken.push(`${name} got ${events.length} of ${expected.length} events`);
  return broken;
}

if (import.meta.main) {
  await runBench(async ({ sizes, log }) => {
    const { runs: kills } = sizes({ full: { runs: 50 }, small: { runs: 6 } });
    const claims = [];
    for (const [name, site] of Object.entries(SITES)) {
      const { broken, acknowledged, unanswered, events, connections } = await runEventsCrashes(kills, site);
      for (const line of broken) log(line);
      log(
        `${name}: ${acknowledged} changes acknowledged, ${unanswered} interrupted, ${events} events read over ` +
          `${connections} connections`,
      );
      claims.push({
        claim: `events-crash: invariants after ${kills} SIGKILLs of ${site.replicas} on ${name}`,
        unit: 'broken' as const,
        ours: [broken.length],
        bar: { atMost: 0 },
      });
    }
    return claims;
  });
}
