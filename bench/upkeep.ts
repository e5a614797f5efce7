// Runs sweeps and scrubs continuously, without a grace period, while clients publish, replace, download and delete: no
// request may fail. The claim is for half a minute per site, the tests run a few seconds.

import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { artefactUrl, INTERNAL, signIn, startBerth } from './support/berth-process.ts';
import { runBench } from './support/bench.ts';
import type { Claim } from './support/claims.ts';
import { startPings } from './support/ping-probe.ts';
import type { ServerProcess } from './support/processes.ts';
import { openClusterSite, openEmbeddedSite, type Site } from './support/sites.ts';

const PUBLISHERS = 4;
const READERS = 2;
const KEPT_BYTES = 8 * 1024 * 1024;
/** Identical bytes of several publishers, so that uploads adopt blobs that a sweep is about to delete. */
const SHARED = Array.from({ length: 3 }, () => randomBytes(200_000));
const POLL_MS = 20;

export const SITES = { 'SQLite and files': openEmbeddedSite, 'PostgreSQL and S3': openClusterSite };

export interface UpkeepReport {
  requests: number;
  /** Unexpected results, one line each. */
  failed: string[];
  sweeps: number;
  scrubs: number;
  /** Total of all sweeps. */
  removedBlobs: number;
  /** Total of all scrubs. */
  checkedBlobs: number;
  longestPingMs: number;
}

interface Job {
  running: boolean;
  startedAt?: string;
  endedAt?: string;
  outcome?: string;
  error?: string;
  result?: { removedBlobs?: number; checkedBlobs?: number; damagedBlobs?: number; missingBlobs?: number };
}

/** Runs load and upkeep on an empty site for at least this time. */
export async function runUpkeep(seconds: number, openSite: () => Promise<Site>): Promise<UpkeepReport> {
  await using site = await openSite();
  await using berth = await startBerth(site.dataDir, { ...site.env, GC_GRACE_HOURS: '0' });
  const report: UpkeepReport = {
    requests: 0,
    failed: [],
    sweeps: 0,
    scrubs: 0,
    removedBlobs: 0,
    checkedBlobs: 0,
    longestPingMs: 0,
  };
  const kept = randomBytes(KEPT_BYTES);
  await publish(berth, 'kept', kept, report);
  const endPings = await startPings(berth.url);
  const deadline = performance.now() + seconds * 1000;
  const isOver = () =>
    performance.now() > deadline && report.sweeps > 1 && report.scrubs > 1 && report.removedBlobs > 0;
  const repeat = async (work: (round: number) => Promise<void>) => {
    for (let round = 0; !isOver(); round++)
      await work(round).catch((error: unknown) => {
        report.failed.push(String(error));
        return sleep(POLL_MS);
      });
  };
  const admin = await signIn(berth.url);
  await Promise.all([
    ...Array.from({ length: PUBLISHERS }, (_unused, n) =>
      repeat((round) => publishAndDelete(berth, `publisher-${n}`, round, report)),
    ),
    ...Array.from({ length: READERS }, () => repeat(() => download(berth, 'kept', kept, report))),
    repeat((round) => runJob(berth, admin, round % 2 ? 'scrub' : 'sweep', report)),
  ]);
  report.longestPingMs = (await endPings()).maxMs;
  return report;
}

/** Publishes, replaces and reads an artefact, and deletes it in every other round. */
async function publishAndDelete(berth: ServerProcess, id: string, round: number, report: UpkeepReport): Promise<void> {
  for (const bytes of [SHARED[round % SHARED.length]!, randomBytes(50_000)]) {
    await publish(berth, id, bytes, report);
    await download(berth, id, bytes, report);
  }
  if (round % 2) await request(berth, artefactUrl(berth, id), { method: 'DELETE', headers: INTERNAL }, 204, report);
}

async function publish(
  berth: ServerProcess,
  id: string,
  bytes: Uint8Array<ArrayBuffer>,
  report: UpkeepReport,
): Promise<void> {
  const form = new FormData();
  form.set('file', new Blob([bytes]), 'it.bin');
  await request(berth, artefactUrl(berth, 'file', id), { method: 'POST', headers: INTERNAL, body: form }, 201, report);
}

async function download(berth: ServerProcess, id: string, bytes: Uint8Array, report: UpkeepReport): Promise<void> {
  const received = await request(berth, artefactUrl(berth, id, 'download'), { headers: INTERNAL }, 200, report);
  if (digestOf(received) !== digestOf(bytes)) report.failed.push(`${id} does not have the published bytes`);
}

async function request(
  berth: ServerProcess,
  url: string,
  options: RequestInit,
  status: number,
  report: UpkeepReport,
): Promise<Uint8Array> {
  const response = await fetch(url, options);
  const body = new Uint8Array(await response.arrayBuffer());
  report.requests++;
  if (response.status !== status)
    throw new Error(
      `${options.method ?? 'GET'} ${url.replace(berth.url, '')} got status ` +
        `${response.status}: ${Buffer.from(body).toString().slice(0, 300)}`,
    );
  return body;
}

/** Requests a sweep or a scrub and waits for its end. */
async function runJob(
  berth: ServerProcess,
  admin: { cookie: string },
  name: 'sweep' | 'scrub',
  report: UpkeepReport,
): Promise<void> {
  const json = async (path: string, options: RequestInit, status: number) =>
    JSON.parse(
      Buffer.from(await request(berth, `${berth.url}/api/v1${path}`, options, status, report)).toString(),
    ) as unknown;
  const read = async () => ((await json('/storage', { headers: admin }, 200)) as Record<typeof name, Job>)[name];
  const before = await read();
  await json(
    `/storage/${name}`,
    { method: 'POST', headers: { ...admin, 'content-type': 'application/json' }, body: '{}' },
    202,
  );
  let job = await read();
  while (job.running || job.endedAt === undefined || job.startedAt === before.startedAt) {
    await sleep(POLL_MS);
    job = await read();
  }
  const { outcome, error, result = {} } = job;
  if (outcome !== 'succeeded') throw new Error(`the ${name} failed: ${error}`);
  if (result.damagedBlobs || result.missingBlobs)
    throw new Error(`the scrub found ${result.damagedBlobs} damaged and ${result.missingBlobs} missing blobs`);
  report.removedBlobs += result.removedBlobs ?? 0;
  if (name === 'scrub') report.checkedBlobs += result.checkedBlobs ?? 0;
  report[`${name}s`]++;
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

if (import.meta.main) {
  await runBench(async ({ sizes, log }) => {
    const { runs, seconds } = sizes({ full: { runs: 1, seconds: 30 }, small: { runs: 1, seconds: 3 } });
    const claims: Claim[] = [];
    for (const [name, openSite] of Object.entries(SITES)) {
      const reports: UpkeepReport[] = [];
      for (let run = 1; run <= runs; run++) {
        const report = await runUpkeep(seconds, openSite);
        log(
          `${name}: ${report.requests} requests, ${report.sweeps} sweeps removed ${report.removedBlobs} ` +
            `blobs, ${report.scrubs} scrubs read ${report.checkedBlobs}`,
        );
        for (const failure of report.failed) log(failure);
        reports.push(report);
      }
      claims.push(
        {
          claim: `upkeep: failed requests during sweeps and scrubs on ${name}`,
          unit: 'broken',
          ours: reports.map(({ failed }) => failed.length),
          bar: { atMost: 0 },
        },
        {
          claim: `upkeep: longest concurrent /api/ping on ${name}`,
          unit: 'ms',
          ours: reports.map(({ longestPingMs }) => longestPingMs),
        },
      );
    }
    return claims;
  });
}
