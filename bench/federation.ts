// Mirroring: 500 artefacts beside four curls that fetch the same bytes, a run over the same 500 with no changes, and a
// large file over a connection that is cut repeatedly.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import type { Claim } from './support/claims.ts';
import { transfer } from './support/curl.ts';
import { startCuttingProxy } from './support/cutting-proxy.ts';
import { addRemote, makeReadKey, publishAll, readDigests, synchronise } from './support/federation.ts';
import { MIB, peakResidentBytes, residentBytes, resetPeak } from './support/memory.ts';
import type { ServerProcess } from './support/processes.ts';
import { writeRandomFile } from './support/random-file.ts';
import { requireTool } from './support/tools.ts';
import { takeTurns } from './support/turns.ts';

const run = promisify(execFile);
const CURLS = 4;
const TILESET = 'world.pmtiles';

async function measureFederation(bench: Bench): Promise<Claim[]> {
  return [...(await measureMany(bench)), ...(await measureCuts(bench))];
}

async function measureMany({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { runs, artefacts } = sizes({ full: { runs: 5, artefacts: 500 }, small: { runs: 1, artefacts: 20 } });
  await using upstream = await startBerth(join(directory, 'upstream'));
  await using mirror = await startBerth(join(directory, 'mirror'));
  const ids = Array.from({ length: artefacts }, (_unused, index) => `tiles-${index}`);
  log(`publishing ${artefacts} artefacts of 1 MiB`);
  const publish = async () => {
    for (const id of ids) await uploadFile(upstream, id, randomBytes(MIB));
  };
  await publish();
  await publishAll(upstream, ids);
  const key = await makeReadKey(upstream);
  await addRemote(mirror, upstream.url, key);
  const unchanged: number[] = [];

  const mirrorAll = async (round: number): Promise<number> => {
    await publish();
    await run('sync');
    const { seconds } = await synchronise(mirror, upstream.url);
    if (round > 0) unchanged.push((await synchronise(mirror, upstream.url)).seconds * 1000);
    if (JSON.stringify(await readDigests(mirror)) !== JSON.stringify(await readDigests(upstream)))
      throw new Error('the digests of mirror and upstream differ');
    return artefacts / seconds;
  };
  const fetchAll = async (round: number): Promise<number> => {
    const target = join(directory, `curl-${round}`);
    await mkdir(target);
    const lists = await Promise.all(
      Array.from({ length: CURLS }, async (_unused, index) => {
        const list = join(target, `list-${index}`);
        await writeFile(
          list,
          ids
            .filter((_id, at) => at % CURLS === index)
            .map((id) => `url = "${artefactUrl(upstream, id, 'download')}"\noutput = "${join(target, id)}"\n`)
            .join(''),
        );
        return list;
      }),
    );
    await run('sync');
    const startedAt = performance.now();
    await Promise.all(lists.map((list) => run(requireTool('curl'), ['-sSf', '-H', `x-api-key: ${key}`, '-K', list])));
    // A mirror flushes its bytes before it shows them.
    await run('sync');
    const seconds = (performance.now() - startedAt) / 1000;
    await rm(target, { recursive: true });
    return artefacts / seconds;
  };
  log('measuring, interleaved with four curls');
  const rates = await takeTurns(runs, { mirror: mirrorAll, curls: fetchAll });
  return [
    {
      claim: `federation: ${artefacts} artefacts of 1 MiB, beside ${CURLS} parallel curls`,
      unit: 'MB/s',
      ours: rates.mirror.map(toMbPerSecond),
      peer: rates.curls.map(toMbPerSecond),
      bar: { atLeast: 0.6 },
    },
    {
      claim: `federation: the same ${artefacts} with no changes`,
      unit: 'ms',
      ours: unchanged,
      bar: { atMost: 2000 },
    },
  ];
}

async function measureCuts({ directory, sizes, log }: Bench): Promise<Claim[]> {
  const { mib, everyMib } = sizes({
    full: { runs: 1, mib: 4096, everyMib: 200 },
    small: { runs: 1, mib: 64, everyMib: 10 },
  });
  log(`a file of ${mib} MiB, cut every ${everyMib} MiB`);
  await using upstream = await startBerth(join(directory, 'large-upstream'));
  const file = join(directory, 'file');
  await writeRandomFile(file, mib);
  await transfer({
    url: artefactUrl(upstream, 'file', TILESET),
    headers: INTERNAL,
    send: { form: file },
    status: 201,
  });
  await rm(file);
  await publishAll(upstream, [TILESET]);
  await using network = await startCuttingProxy(upstream.url, everyMib * MIB);
  await using mirror = await startBerth(join(directory, 'large-mirror'));
  await addRemote(mirror, network.url, await makeReadKey(upstream));
  await resetPeak(mirror.pid);
  const idleBytes = await residentBytes(mirror.pid);
  await synchronise(mirror, network.url);
  const growth = ((await peakResidentBytes(mirror.pid)) - idleBytes) / MIB;
  if (JSON.stringify(await readDigests(mirror)) !== JSON.stringify(await readDigests(upstream)))
    throw new Error('the digests of mirror and upstream differ');
  const refetchedPercent = 100 * (network.passedBytes() / (mib * MIB) - 1);
  return [
    {
      claim: `federation: bytes fetched again of ${mib} MiB, connection cut every ${everyMib} MiB`,
      unit: '%',
      ours: [refetchedPercent],
      bar: { atMost: 1 },
    },
    {
      claim: `federation: memory growth during a file of ${mib} MiB`,
      unit: 'MiB',
      ours: [growth],
      bar: { atMost: 100 },
    },
  ];
}

async function uploadFile(berth: ServerProcess, id: string, bytes: Buffer): Promise<void> {
  const form = new FormData();
  form.set('file', new Blob([bytes]), `${id}.bin`);
  const response = await fetch(artefactUrl(berth, 'file', id), { method: 'POST', headers: INTERNAL, body: form });
  if (response.status !== 201) throw new Error(`uploading ${id} failed: ${await response.text()}`);
  await response.body?.cancel();
}

function toMbPerSecond(artefactsPerSecond: number): number {
  return (artefactsPerSecond * MIB) / 1e6;
}

if (import.meta.main) await runBench(measureFederation);
