// lib-node's ensureArtefact: its cost when the cache is up to date, beside a conditional fetch of the document; and
// its speed of installing a plug-in of many files, beside curl and tar, with the delay of the caller's event loop.

import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { promisify } from 'node:util';
import type { EnsureArtefactOptions } from '@berth-registry/lib-node';
import { repositoryRoot } from '../scripts/runtime.ts';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import type { Claim } from './support/claims.ts';
import { headerParameters, transfer } from './support/curl.ts';
import type { ServerProcess } from './support/processes.ts';
import { median } from './support/statistics.ts';
import { scripts, writeTarball } from './support/tarball.ts';
import { requireTool } from './support/tools.ts';
import { takeTurns } from './support/turns.ts';

const run = promisify(execFile);
const ID = 'bench-plugin';
/** Sampling interval of the event-loop delay. */
const RESOLUTION_MS = 1;

if (import.meta.main) await runBench(measureEnsure);

async function measureEnsure({ directory, sizes, log }: Bench): Promise<Claim[]> {
  await run(join(repositoryRoot, 'node_modules/.bin/tsc'), ['-b', 'lib-node'], { cwd: repositoryRoot });
  const { runs, calls, files } = sizes({
    full: { runs: 7, calls: 200, files: 12_000 },
    small: { runs: 2, calls: 20, files: 300 },
  });
  const tarball = await writeTarball(join(directory, 'plugin.tgz'), '@bench/plugin', scripts(files));
  await using berth = await startBerth(join(directory, 'berth'));
  await transfer({ url: artefactUrl(berth, 'npm', ID), headers: INTERNAL, send: { form: tarball }, status: 201 });
  log('cache up to date');
  const hits = await measureHits(berth, join(directory, 'cache'), runs, calls);
  log(`a plug-in of ${files} files`);
  const { timesMs, delaysMs } = await measureCold(berth, join(directory, 'unpacked'), runs);
  return [
    {
      claim: 'ensure: cache up to date, beside a conditional fetch of the document',
      unit: 'ms',
      ours: hits.ensure,
      peer: hits.fetch,
      bar: { atMost: 1.5 },
    },
    {
      claim: `ensure: plug-in of ${files} files, beside curl and tar xz`,
      unit: 'ms',
      ours: timesMs.ensure,
      peer: timesMs.tar,
      bar: { atMost: 1.2 },
    },
    {
      claim: 'ensure: longest event-loop delay of the caller during that',
      unit: 'ms',
      ours: [Math.max(...delaysMs)],
      bar: { atMost: 50 },
    },
  ];
}

/** Returns the median time of the calls of each run. */
async function measureHits(
  berth: ServerProcess,
  cacheDir: string,
  runs: number,
  calls: number,
): Promise<Record<'ensure' | 'fetch', number[]>> {
  const { ensureArtefact, releaseArtefact } = await import('@berth-registry/lib-node');
  const options = ensureOptions(berth, cacheDir);
  const document = await fetch(artefactUrl(berth, ID), { headers: INTERNAL });
  await document.text();
  const conditional = { ...INTERNAL, 'if-none-match': document.headers.get('etag') ?? '' };
  return takeTurns(runs, {
    ensure: () =>
      medianMs(calls, async () => {
        releaseArtefact((await ensureArtefact(options)).path);
      }),
    fetch: () =>
      medianMs(calls, async () => {
        const response = await fetch(artefactUrl(berth, ID), { headers: conditional });
        await response.arrayBuffer();
        if (response.status !== 304) throw new Error(`a conditional fetch got status ${response.status}`);
      }),
  });
}

/** Returns the times of each run, and the longest event-loop delay of each of ours. */
async function measureCold(
  berth: ServerProcess,
  target: string,
  runs: number,
): Promise<{ timesMs: Record<'ensure' | 'tar', number[]>; delaysMs: number[] }> {
  const { ensureArtefact } = await import('@berth-registry/lib-node');
  const delaysMs: number[] = [];

  const onFreshDirectory = async (work: () => Promise<unknown>) => {
    await mkdir(target);
    await run('sync');
    const startedAt = performance.now();
    await work();
    const timeMs = performance.now() - startedAt;
    await rm(target, { recursive: true });
    return timeMs;
  };
  const timesMs = await takeTurns(runs, {
    ensure: () =>
      onFreshDirectory(async () => {
        const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
        delay.enable();
        await ensureArtefact(ensureOptions(berth, target));
        delay.disable();
        delaysMs.push(delay.max / 1e6 - RESOLUTION_MS);
      }),
    tar: () =>
      onFreshDirectory(() =>
        run('sh', [
          '-c',
          '"$@" | tar xz -C "$0"',
          target,
          requireTool('curl'),
          '-sSf',
          ...headerParameters(INTERNAL),
          artefactUrl(berth, ID, 'tarball'),
        ]),
      ),
  });
  return { timesMs, delaysMs };
}

function ensureOptions(berth: ServerProcess, cacheDir: string): EnsureArtefactOptions {
  return { registryUrl: berth.url, secretKey: INTERNAL['x-secret-key'], artefactId: ID, cacheDir };
}

async function medianMs(calls: number, work: () => Promise<void>): Promise<number> {
  const timesMs: number[] = [];
  for (let call = 0; call < calls; call++) {
    const startedAt = performance.now();
    await work();
    timesMs.push(performance.now() - startedAt);
  }
  return median(timesMs);
}
