// What many open streams of events cost a server while nothing happens.

import { setTimeout as sleep } from 'node:timers/promises';
import { artefactUrl, INTERNAL, signIn } from './berth-process.ts';
import { openEventStream, type OpenStream } from './event-stream.ts';
import { makeReadKey } from './federation.ts';
import { MIB, peakResidentBytes, residentBytes, resetPeak } from './memory.ts';
import { processorSeconds } from './processor-time.ts';
import type { ServerProcess } from './processes.ts';
import { median } from './statistics.ts';
import { npmTarball } from './tarball.ts';

/** Opened at a time. */
const BATCH = 25;
const WARM_UPLOADS = 100;
const SETTLE_MS = 5_000;
const SAMPLES = 20;

export interface StreamCosts {
  /** Peak of the resident memory with the streams, minus its size before. */
  growthMib: number;
  /** Processor time at rest, in percent of one processor. */
  restPercent: number;
  /** The same before the streams were opened, for a shorter time. */
  idlePercent: number;
}

/** Opens streams, half of them by internal services, the others by sessions and read keys, which are read again. */
export async function measureStreams(
  berth: ServerProcess,
  { count, seconds }: { count: number; seconds: number },
): Promise<StreamCosts> {
  const callers = [
    INTERNAL,
    await signIn(berth.url),
    INTERNAL,
    { 'x-api-key': await makeReadKey(berth) },
  ] satisfies Record<string, string>[];
  const open = async (howMany: number) => {
    const streams: OpenStream[] = [];
    while (streams.length < howMany)
      streams.push(
        ...(await Promise.all(
          Array.from({ length: Math.min(BATCH, howMany - streams.length) }, (_unused, index) =>
            openEventStream(berth, { headers: callers[index % callers.length]!, onEvent: () => undefined }),
          ),
        )),
      );
    return streams;
  };
  // What the server needs once is there before it is measured: code, connections to the database, buffers.
  for (let round = 0; round < WARM_UPLOADS; round++) await upload(berth);
  await close(await open(BATCH));
  await sleep(SETTLE_MS);
  const idlePercent = await processorPercent(berth, SETTLE_MS);
  const before = await residentMib(berth);
  await resetPeak(berth.pid);
  const streams = await open(count);
  // Each of them gets something.
  for (let round = 0; round < 5; round++) await upload(berth);
  await sleep(SETTLE_MS);
  const restPercent = await processorPercent(berth, seconds * 1000);
  const growthMib = (await peakResidentBytes(berth.pid)) / MIB - before;
  await close(streams);
  return { growthMib, restPercent, idlePercent };
}

async function close(streams: readonly OpenStream[]): Promise<void> {
  for (const stream of streams) stream.close();
  await Promise.all(streams.map(({ ended }) => ended));
}

async function processorPercent({ pid }: ServerProcess, durationMs: number): Promise<number> {
  const [startedAt, before] = [performance.now(), await processorSeconds(pid)];
  await sleep(durationMs);
  return (((await processorSeconds(pid)) - before) / (performance.now() - startedAt)) * 1000 * 100;
}

async function residentMib({ pid }: ServerProcess): Promise<number> {
  const samples: number[] = [];
  while (samples.length < SAMPLES) {
    samples.push((await residentBytes(pid)) / MIB);
    await sleep(100);
  }
  return median(samples);
}

async function upload(berth: ServerProcess): Promise<void> {
  const form = new FormData();
  form.set('file', new Blob([npmTarball('@bench/plugin', '1.0.0', new Uint8Array())]), 'plugin.tgz');
  const url = artefactUrl(berth, 'npm', '@bench/warm');
  const response = await fetch(url, { method: 'POST', headers: INTERNAL, body: form });
  if (response.status !== 201) throw new Error(`an upload got status ${response.status}: ${await response.text()}`);
  await response.text();
}
