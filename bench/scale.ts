// What a registry of many years costs: every filter of lists over 300,000 artefacts and of an audit log of two million
// events, on both databases. Another process requests /api/ping meanwhile, and before, while nothing else runs.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KINDS, measureKind, type CallerName } from './list.ts';
import { INTERNAL, signIn } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import { ACCOUNT } from './support/catalogue.ts';
import type { Claim } from './support/claims.ts';
import { startFilledBerth } from './support/filled-berth.ts';
import { startPings } from './support/ping-probe.ts';
import { onBothDatabases } from './support/both-databases.ts';
import type { ServerProcess } from './support/processes.ts';
import { percentile } from './support/statistics.ts';

const MAX_LIST_MS = 80;
/** How much longer a ping may take than in an idle server. */
const MAX_DELAY_MS = 150;
const IDLE_MS = 5_000;
/** Of the audit log and of totals. */
const REQUESTS_PER_PATH = 5;
const TOTALS = ['/api/v1/stats', '/api/v1/storage', '/metrics'];

interface Sizes {
  runs: number;
  artefacts: number;
  requests: number;
  auditEvents: number;
}

/** Every filter alone, with frequent and rare values, pairs that hardly occur, and pages at the far end. */
const AUDIT_QUERIES = (events: number): Record<string, string>[] => [
  {},
  { skip: String(Math.floor(events * 0.9)) },
  { size: '1000' },
  { actor: 'actor7' },
  { actor: 'nobody' },
  { actorKind: 'upload-key' },
  { actorKind: 'read-key' },
  { action: 'artefact.upload' },
  { action: 'artefact.' },
  { action: 'setting.' },
  { action: 'nothing.' },
  { targetType: 'artefact' },
  { targetType: 'setting' },
  { target: '@bench/plugin-31@1' },
  { target: 'nothing' },
  { outcome: 'success' },
  { outcome: 'refused' },
  { outcome: 'failed' },
  { from: new Date(Date.now() - 7 * 86_400_000).toISOString() },
  { to: new Date(Date.now() - 300 * 86_400_000).toISOString() },
  { action: 'artefact.upload', actorKind: 'read-key' },
  { action: 'artefact.', targetType: 'user' },
  { actorKind: 'user', targetType: 'storage', outcome: 'success' },
  { outcome: 'failed', action: 'setting.' },
  { actor: 'actor7', target: '@bench/plugin-31@1', action: 'artefact.delete' },
];

if (import.meta.main) await runBench((bench) => onBothDatabases(bench, measureDatabase));

async function measureDatabase(
  { directory, sizes, log }: Bench,
  database: string,
  postgresUrl?: string,
): Promise<Claim[]> {
  const size = sizes<Sizes>({
    full: { runs: 3, artefacts: 300_000, requests: 60, auditEvents: 2_000_000 },
    small: { runs: 1, artefacts: 2_000, requests: 5, auditEvents: 5_000 },
  });
  log(`filling ${database} with ${size.artefacts} artefacts and ${size.auditEvents} events`);
  await using berth = await startFilledBerth(join(directory, database), size.artefacts, postgresUrl, size.auditEvents);
  const superadmin = await signIn(berth.url);
  const headers: Record<CallerName, Record<string, string>> = {
    anonymous: {},
    account: { ...INTERNAL, 'x-account': JSON.stringify(ACCOUNT) },
    superadmin,
  };
  const figures = new Map<string, number[]>();
  const note = (claim: string, figure: number) => {
    figures.set(claim, [...(figures.get(claim) ?? []), figure]);
  };
  for (let run = 1; run <= size.runs; run++) {
    log(`${database}, run ${run} of ${size.runs}`);
    const idle = await pingsDuring(berth, () => sleep(IDLE_MS));
    const lists = await pingsDuring(berth, async () => {
      for (const kind of KINDS) note(`list: ${kind.name}`, await measureKind(berth, kind, headers[kind.caller], size));
    });
    const audit = await pingsDuring(berth, async () => {
      note('audit log: slowest filter', await slowestOf(berth, superadmin, auditPaths(size.auditEvents)));
    });
    const totals = await pingsDuring(berth, async () => {
      note('totals: slowest of statistics, storage and metrics', await slowestOf(berth, superadmin, TOTALS));
    });
    note('ping beside totals, above idle, p99', totals.p99Ms - idle.p99Ms);
    note('ping beside lists, above idle, p99', lists.p99Ms - idle.p99Ms);
    note('ping beside the audit log, above idle, p99', audit.p99Ms - idle.p99Ms);
    note('ping beside the audit log, longest', audit.maxMs);
  }
  return Array.from(figures, ([claim, ours]): Claim => {
    const atMost = claim.startsWith('list:') ? MAX_LIST_MS : claim.includes('above idle') ? MAX_DELAY_MS : undefined;
    return {
      claim: `scale: ${claim}${claim.startsWith('list:') ? ', p95' : ''} on ${database}`,
      unit: 'ms',
      ours,
      ...(atMost !== undefined && { bar: { atMost } }),
    };
  });
}

async function pingsDuring(berth: ServerProcess, work: () => Promise<unknown>) {
  const endPings = await startPings(berth.url);
  await work();
  return endPings();
}

function auditPaths(events: number): string[] {
  return AUDIT_QUERIES(events).map((query) => `/api/v1/audit-events?${new URLSearchParams(query).toString()}`);
}

/** Requests each path several times, and returns the median time of the slowest one. */
async function slowestOf(berth: ServerProcess, headers: Record<string, string>, paths: string[]): Promise<number> {
  let slowestMs = 0;
  for (const path of paths) {
    const timesMs: number[] = [];
    for (let request = 0; request < REQUESTS_PER_PATH; request++) {
      const startedAt = performance.now();
      const response = await fetch(berth.url + path, { headers });
      const body = await response.text();
      timesMs.push(performance.now() - startedAt);
      if (response.status !== 200) throw new Error(`${path} got status ${response.status}: ${body}`);
    }
    slowestMs = Math.max(slowestMs, percentile(timesMs, 50));
  }
  return slowestMs;
}
