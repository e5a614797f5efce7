// How long after the response to an upload its event, and the callback of watchArtefacts, arrive at other replicas.

import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArtefactUpdate } from '@berth-registry/lib-node';
import { artefactUrl, INTERNAL } from './berth-process.ts';
import { slotsOf } from './change-ledger.ts';
import { openEventStream } from './event-stream.ts';
import { digestOf } from './invariants.ts';
import type { ServerProcess } from './processes.ts';
import { npmTarball } from './tarball.ts';

const ID = '@bench/watched';
const CONTENT_BYTES = 5_000;
/** More than the interval at which servers read new events, so that uploads do not keep step with it. */
const MAX_PAUSE_MS = 300;
const POLL_INTERVAL_MS = 1_000;
const TIMEOUT_MS = 10_000;

/** Milliseconds from the 201 of an upload, for each upload and receiver. */
export interface Latencies {
  stream: number[];
  watch: number[];
  /** Of a conditional request for the document every second. */
  poll: number[];
}

/** Uploads to the first server, while receivers are connected to the others, or to it if it is the only one. */
export async function measureLatencies(
  berths: readonly Pick<ServerProcess, 'url'>[],
  updates: number,
): Promise<Latencies> {
  const { watchArtefacts } = await import('@berth-registry/lib-node');
  const publisher = berths[0]!;
  const others = berths.length > 1 ? berths.slice(1) : berths;
  await upload(publisher);
  const arrivals = createArrivals();
  const receivers: { kind: keyof Latencies; close: () => void | Promise<void> }[] = [];
  for (const berth of others) {
    const [streamed, watched] = [arrivals.add('stream'), arrivals.add('watch')];
    const stream = await openEventStream(berth, {
      headers: INTERNAL,
      onEvent: ({ data }) => {
        streamed(slotsOf(data)[0]?.[1]);
      },
    });
    const watch = watchArtefacts({
      registryUrl: berth.url,
      secretKey: INTERNAL['x-secret-key'],
      ids: [ID],
      onUpdate: ({ artefact }: ArtefactUpdate) => {
        watched(Object.values(artefact?.tarballs ?? {})[0]?.digest);
      },
      onError: (error: unknown) => {
        console.error(error);
      },
    });
    await watch.ready;
    receivers.push({ kind: 'stream', close: stream.close }, { kind: 'watch', close: watch.close });
  }
  receivers.push({ kind: 'poll', close: startPolling(others.at(-1)!, arrivals.add('poll')) });
  for (let update = 0; update < updates; update++) {
    await sleep(randomInt(MAX_PAUSE_MS));
    await arrivals.acknowledge(await upload(publisher));
  }
  await arrivals.settled();
  for (const { close } of receivers) await close();
  return arrivals.latencies;
}

/** Notes when the content of each upload has arrived at each receiver. */
function createArrivals() {
  const latencies: Latencies = { stream: [], watch: [], poll: [] };
  const receivers: { kind: keyof Latencies; arrived: Map<string, number> }[] = [];
  const missing = (digest: string, kinds: readonly string[]) =>
    receivers.some(({ kind, arrived }) => kinds.includes(kind) && !arrived.has(digest));
  const arrived = async (digest: string, kinds: readonly string[]) => {
    for (const deadline = performance.now() + TIMEOUT_MS; missing(digest, kinds); await sleep(1))
      if (performance.now() > deadline) throw new Error(`an upload has not arrived at each ${kinds.join(' and ')}`);
  };
  const acknowledged: { digest: string; at: number }[] = [];
  return {
    latencies,
    /** Adds a receiver. @returns its callback; a poll that finds later content has the earlier, too */
    add(kind: keyof Latencies) {
      const receiver = { kind, arrived: new Map<string, number>() };
      receivers.push(receiver);
      return (digest: string | undefined) => {
        const now = performance.now();
        if (digest !== undefined && !receiver.arrived.has(digest)) receiver.arrived.set(digest, now);
        for (const earlier of acknowledged)
          if (kind === 'poll' && !receiver.arrived.has(earlier.digest)) receiver.arrived.set(earlier.digest, now);
      };
    },
    /** Notes the response to an upload, and waits for all but the polls. */
    async acknowledge({ digest, at }: { digest: string; at: number }) {
      acknowledged.push({ digest, at });
      await arrived(digest, ['stream', 'watch']);
    },
    /** Waits for the polls, and computes the latencies. An arrival before the response counts as none. */
    async settled() {
      for (const { digest } of acknowledged) await arrived(digest, ['poll']);
      for (const { kind, arrived: times } of receivers)
        for (const { digest, at } of acknowledged) latencies[kind].push(Math.max(0, times.get(digest)! - at));
    },
  };
}

/** @returns a function that stops it */
function startPolling(berth: Pick<ServerProcess, 'url'>, onDigest: (digest: string | undefined) => void): () => void {
  let etag = '';
  const poll = async () => {
    const response = await fetch(artefactUrl(berth, ID), { headers: { ...INTERNAL, 'if-none-match': etag } });
    if (response.status === 304) return;
    etag = response.headers.get('etag') ?? '';
    const { tarballs } = (await response.json()) as { tarballs: Record<string, { digest: string }> };
    onDigest(tarballs['noarch']?.digest);
  };
  const timer = setInterval(() => void poll().catch(console.error), POLL_INTERVAL_MS);
  return () => {
    clearInterval(timer);
  };
}

/** @returns its digest, and when the response arrived */
async function upload(berth: Pick<ServerProcess, 'url'>): Promise<{ digest: string; at: number }> {
  const tarball = npmTarball('@bench/plugin', '1.0.0', randomBytes(CONTENT_BYTES));
  const form = new FormData();
  form.set('file', new Blob([tarball]), 'plugin.tgz');
  const response = await fetch(artefactUrl(berth, 'npm', ID), { method: 'POST', headers: INTERNAL, body: form });
  const at = performance.now();
  if (response.status !== 201) throw new Error(`an upload got status ${response.status}: ${await response.text()}`);
  await response.text();
  return { digest: digestOf(tarball), at };
}
