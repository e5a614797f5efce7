// Events: how soon they arrive, beside polling; what 500 open streams cost a server at rest; and what writing events
// costs uploads, beside the version before.

import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { repositoryRoot } from '../scripts/runtime.ts';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import type { Claim } from './support/claims.ts';
import { extractServer } from './support/earlier-version.ts';
import { measureLatencies, type Latencies } from './support/event-latency.ts';
import { measureStreams } from './support/open-streams.ts';
import type { ServerProcess } from './support/processes.ts';
import { openClusterSite, openEmbeddedSite, openReplicasSite, type Site } from './support/sites.ts';
import { median, percentile } from './support/statistics.ts';
import { npmTarball } from './support/tarball.ts';

/** The last commit whose uploads write no event. */
const WITHOUT_EVENTS = 'f17ae11dc939';
const LATENCY_SITES = {
  'one server on SQLite and files': { open: openEmbeddedSite, replicas: 1, barMs: 500 },
  'one server on PostgreSQL and files': { open: openReplicasSite, replicas: 1, barMs: 500 },
  'three on PostgreSQL and S3': { open: openClusterSite, replicas: 3, barMs: 1000 },
};
const DATABASES = { SQLite: openEmbeddedSite, PostgreSQL: openReplicasSite };
const POLL_INTERVAL_MS = 30_000;
const REFRESH_INTERVAL_MS = 300_000;
const HOUR_MS = 3_600_000;

interface Sizes {
  runs: number;
  updates: number;
  streams: number;
  restSeconds: number;
  uploads: number;
  /** An hour of polling is shortened by this factor. */
  speed: number;
}

if (import.meta.main)
  await runBench(async (bench) => {
    await promisify(execFile)(join(repositoryRoot, 'node_modules/.bin/tsc'), ['-b', 'lib-node'], {
      cwd: repositoryRoot,
    });
    const sizes = bench.sizes<Sizes>({
      full: { runs: 3, updates: 20, streams: 500, restSeconds: 60, uploads: 100, speed: 240 },
      small: { runs: 1, updates: 3, streams: 40, restSeconds: 3, uploads: 5, speed: 2400 },
    });
    const claims: Claim[] = [];
    for (const name of Object.keys(LATENCY_SITES) as (keyof typeof LATENCY_SITES)[]) {
      bench.log(name);
      claims.push(...(await measureArrivals(name, sizes)));
    }
    bench.log('requests of an hour');
    claims.push(await countRequests(sizes));
    bench.log(`${sizes.streams} streams at rest`);
    claims.push(...(await measureRest(sizes, bench)));
    for (const name of Object.keys(DATABASES) as (keyof typeof DATABASES)[]) {
      bench.log(`uploads on ${name}`);
      claims.push(await measureUploads(name, sizes, bench));
    }
    return claims;
  });

async function measureArrivals(name: keyof typeof LATENCY_SITES, { runs, updates }: Sizes): Promise<Claim[]> {
  const { open, replicas, barMs } = LATENCY_SITES[name];
  await using site = await open();
  const berths: ServerProcess[] = [];
  const measured: Latencies[] = [];
  try {
    while (berths.length < replicas) berths.push(await startBerth(site.dataDir, site.env));
    await measureLatencies(berths, 3);
    for (let run = 0; run < runs; run++) measured.push(await measureLatencies(berths, updates));
  } finally {
    await Promise.all(berths.map((berth) => berth.stop()));
  }
  const figures = (kind: keyof Latencies, percent: number) => measured.map((run) => percentile(run[kind], percent));
  const claim = (what: string) => `events: upload ${what}, ${name}`;
  return [
    { claim: claim('to event in a stream, median'), unit: 'ms', ours: figures('stream', 50) },
    { claim: claim('to event in a stream, p95'), unit: 'ms', ours: figures('stream', 95) },
    {
      claim: claim('to callback of watchArtefacts, median, beside a poll every second'),
      unit: 'ms',
      ours: figures('watch', 50),
      peer: figures('poll', 50),
    },
    {
      claim: claim('to callback of watchArtefacts, p95'),
      unit: 'ms',
      ours: figures('watch', 95),
      bar: { atMost: barMs },
    },
  ];
}

/** Counts the requests of a watched artefact that does not change, with all intervals shortened. */
async function countRequests({ speed }: Sizes): Promise<Claim> {
  const { watchArtefacts } = await import('@berth-registry/lib-node');
  await using site = await openEmbeddedSite();
  await using berth = await startBerth(site.dataDir, site.env);
  await upload(berth, 'watched');
  const registry = { registryUrl: berth.url, secretKey: INTERNAL['x-secret-key'] };
  const before = await countAnswers(berth);
  const watch = watchArtefacts({
    ...registry,
    ids: ['watched'],
    onUpdate: () => undefined,
    refreshIntervalMs: REFRESH_INTERVAL_MS / speed,
  });
  await sleep(HOUR_MS / speed);
  await watch.close();
  return {
    claim: 'events: requests in an hour without changes of a watched artefact, beside a poll every 30 s',
    unit: 'requests',
    ours: [(await countAnswers(berth)) - before],
    peer: [HOUR_MS / POLL_INTERVAL_MS],
    bar: { atMost: 0.15 },
  };
}

/** Counts the answers to requests of clients. */
async function countAnswers({ url }: ServerProcess): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const counts = metrics.matchAll(/^berth_http_request_duration_seconds_count\{.*route="\/api\/v1.*\} (\d+)$/gm);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

/** On both databases at once: each server is asked for its own memory and processor time. */
async function measureRest({ streams, restSeconds }: Sizes, { log }: Bench): Promise<Claim[]> {
  const claims = await Promise.all(
    Object.entries(DATABASES).map(async ([name, open]): Promise<Claim[]> => {
      await using site = await open();
      await using berth = await startBerth(site.dataDir, site.env);
      const costs = await measureStreams(berth, { count: streams, seconds: restSeconds });
      log(`${name}: ${costs.idlePercent.toFixed(1)} % of a processor without streams`);
      const claim = (what: string) => `events: ${what} with ${streams} open streams on ${name}`;
      return [
        { claim: claim('memory growth'), unit: 'MiB', ours: [costs.growthMib], bar: { atMost: 60 } },
        { claim: claim('processor time at rest'), unit: '%', ours: [costs.restPercent], bar: { atMost: 5 } },
      ];
    }),
  );
  return claims.flat();
}

/** Alternately on both servers, each with its own database. */
async function measureUploads(
  name: keyof typeof DATABASES,
  { runs, uploads }: Sizes,
  { directory }: Bench,
): Promise<Claim> {
  const earlier = await extractServer(WITHOUT_EVENTS, join(directory, `earlier-${name}`));
  const open: () => Promise<Site> = DATABASES[name];
  await using ourSite = await open();
  await using theirSite = await open();
  await using ours = await startBerth(ourSite.dataDir, ourSite.env);
  await using theirs = await startBerth(theirSite.dataDir, theirSite.env, earlier);
  const berths = [ours, theirs];
  const figures: [number[], number[]] = [[], []];
  // The first run is the warm-up.
  for (let run = 0; run <= runs; run++) {
    const times: [number[], number[]] = [[], []];
    for (let count = 0; count < uploads; count++)
      for (const side of count % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const))
        times[side].push(await uploadMs(berths[side]!, `@bench/small-${count}`));
    if (run > 0) for (const side of [0, 1] as const) figures[side].push(median(times[side]));
  }
  return {
    claim: `events: upload of a small tarball (median) on ${name}, beside the version without events`,
    unit: 'ms',
    ours: figures[0],
    peer: figures[1],
    bar: { atMost: 1.1 },
  };
}

async function uploadMs(berth: ServerProcess, id: string): Promise<number> {
  const startedAt = performance.now();
  await upload(berth, id);
  return performance.now() - startedAt;
}

async function upload(berth: ServerProcess, id: string): Promise<void> {
  const form = new FormData();
  form.set('file', new Blob([npmTarball('@bench/small', '1.0.0', randomBytes(1_000))]), 'plugin.tgz');
  const response = await fetch(artefactUrl(berth, 'npm', id), { method: 'POST', headers: INTERNAL, body: form });
  if (response.status !== 201) throw new Error(`an upload got status ${response.status}: ${await response.text()}`);
  await response.text();
}
