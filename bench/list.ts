// Pages of lists over 100,000 artefacts, on both databases, in sequential requests. Another process requests /api/ping
// meanwhile, which shows for how long a query blocks other requests.

import { join } from 'node:path';
import { artefactUrl, INTERNAL, signIn } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import { ACCOUNT, CATEGORIES, COMMON_SHORT_WORD, COMMON_WORD, FIRST_COPY, nameOf } from './support/catalogue.ts';
import type { Claim } from './support/claims.ts';
import { startFilledBerth } from './support/filled-berth.ts';
import { startPings } from './support/ping-probe.ts';
import { onBothDatabases } from './support/both-databases.ts';
import type { ServerProcess } from './support/processes.ts';
import { percentile } from './support/statistics.ts';

const SELECTIVE_MS = 25;
const BROADEST_MS = 50;
/** Requests before the measurement. */
const WARM_UP_REQUESTS = 5;

export interface Sizes {
  runs: number;
  artefacts: number;
  requests: number;
}
export type CallerName = 'anonymous' | 'account' | 'superadmin';
export interface Kind {
  name: string;
  caller: CallerName;
  barMs: number;
  /** Makes the parameters of a request from the number of an artefact, so that requests differ. */
  query: (index: number, sizes: Sizes) => Record<string, string>;
}

export const KINDS: Kind[] = [
  { name: 'newest, anonymous', caller: 'anonymous', barMs: BROADEST_MS, query: () => ({}) },
  { name: 'newest, account', caller: 'account', barMs: BROADEST_MS, query: () => ({}) },
  { name: 'newest, superadmin', caller: 'superadmin', barMs: BROADEST_MS, query: () => ({}) },
  { name: 'by name', caller: 'superadmin', barMs: BROADEST_MS, query: () => ({ sort: 'name' }) },
  ...['-dataUpdatedAt', '-name', 'version', '-version', 'group.fr', '-group.en', 'public', '-public'].flatMap(
    (sort): Kind[] => [
      { name: `sort=${sort}`, caller: 'superadmin', barMs: BROADEST_MS, query: () => ({ sort }) },
      {
        name: `sort=${sort}, of a category`,
        caller: sort.endsWith('public') ? 'superadmin' : 'account',
        barMs: BROADEST_MS,
        query: (index) => ({ sort, category: CATEGORIES[index % CATEGORIES.length] ?? '' }),
      },
    ],
  ),
  {
    name: 'sort=version, high offset',
    caller: 'superadmin',
    barMs: BROADEST_MS,
    query: (index, { artefacts }) => ({ sort: 'version', skip: String(Math.floor(artefacts * 0.9) + (index % 50)) }),
  },
  {
    name: 'high offset',
    caller: 'superadmin',
    barMs: BROADEST_MS,
    query: (index, { artefacts }) => ({ skip: String(Math.floor(artefacts * 0.9) + (index % 50)) }),
  },
  {
    name: 'including deprecated',
    caller: 'superadmin',
    barMs: BROADEST_MS,
    query: () => ({ includeDeprecated: 'true' }),
  },
  { name: 'word in all artefacts', caller: 'account', barMs: BROADEST_MS, query: () => ({ q: COMMON_WORD }) },
  {
    name: 'two-letter word in all artefacts',
    caller: 'account',
    barMs: BROADEST_MS,
    query: () => ({ q: COMMON_SHORT_WORD }),
  },
  {
    name: 'word in one artefact',
    caller: 'account',
    barMs: SELECTIVE_MS,
    query: (index) => ({ q: nameOf(index).idWord }),
  },
  { name: 'two words', caller: 'account', barMs: SELECTIVE_MS, query: (index) => ({ q: nameOf(index).words }) },
  {
    name: 'category',
    caller: 'account',
    barMs: SELECTIVE_MS,
    query: (index) => ({ category: CATEGORIES[index % CATEGORIES.length] ?? '' }),
  },
  { name: 'group', caller: 'account', barMs: SELECTIVE_MS, query: (index) => ({ group: nameOf(index).group }) },
  {
    name: 'package name',
    caller: 'account',
    barMs: SELECTIVE_MS,
    query: (index) => ({ packageName: nameOf(index).packageName }),
  },
];

if (import.meta.main) await runBench((bench) => onBothDatabases(bench, measureDatabase));

async function measureDatabase(
  { directory, sizes, log }: Bench,
  database: string,
  postgresUrl?: string,
): Promise<Claim[]> {
  const size = sizes<Sizes>({
    full: { runs: 3, artefacts: 100_000, requests: 100 },
    small: { runs: 1, artefacts: 2_000, requests: 10 },
  });
  log(`filling ${database} with ${size.artefacts} artefacts`);
  await using berth = await startFilledBerth(join(directory, database), size.artefacts, postgresUrl);
  const headers: Record<CallerName, Record<string, string>> = {
    anonymous: {},
    account: { ...INTERNAL, 'x-account': JSON.stringify(ACCOUNT) },
    superadmin: await signIn(berth.url),
  };
  const endPings = await startPings(berth.url);
  const timesMs = new Map(KINDS.map((kind) => [kind, [] as number[]]));
  for (let run = 1; run <= size.runs; run++) {
    log(`lists on ${database}, run ${run} of ${size.runs}`);
    for (const [kind, p95Ms] of timesMs) p95Ms.push(await measureKind(berth, kind, headers[kind.caller], size));
  }
  const pings = await endPings();
  return [
    ...Array.from(timesMs, ([{ name, barMs }, p95Ms]): Claim => ({
      claim: `list: ${name}, p95 on ${database}`,
      unit: 'ms',
      ours: p95Ms,
      bar: { atMost: barMs },
    })),
    { claim: `list: concurrent /api/ping, p99 on ${database}`, unit: 'ms', ours: [pings.p99Ms] },
    { claim: `list: concurrent /api/ping, maximum on ${database}`, unit: 'ms', ours: [pings.maxMs] },
  ];
}

/** Returns the p95 of the requests of one kind. */
export async function measureKind(
  berth: ServerProcess,
  { name, query }: Kind,
  headers: Record<string, string>,
  sizes: Sizes,
): Promise<number> {
  const timesMs: number[] = [];
  for (let request = -WARM_UP_REQUESTS; request < sizes.requests; request++) {
    const artefact = FIRST_COPY + (((request + WARM_UP_REQUESTS) * 7_919) % (sizes.artefacts - FIRST_COPY));
    const startedAt = performance.now();
    const response = await fetch(`${artefactUrl(berth)}?${new URLSearchParams(query(artefact, sizes)).toString()}`, {
      headers,
    });
    const body = await response.text();
    if (request >= 0) timesMs.push(performance.now() - startedAt);
    if (response.status !== 200) throw new Error(`${name} got status ${response.status}: ${body}`);
  }
  return percentile(timesMs, 95);
}
