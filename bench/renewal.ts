// What an upgrade costs that renders every document anew: 300,000 of them, while clients read documents and lists and
// edit artefacts, on both databases. Another process requests /api/ping meanwhile, and before, beside the same
// clients.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench, type Bench } from './support/bench.ts';
import { FIRST_COPY, nameOf } from './support/catalogue.ts';
import type { Claim } from './support/claims.ts';
import { startFilledBerth } from './support/filled-berth.ts';
import { startPings } from './support/ping-probe.ts';
import { onBothDatabases } from './support/both-databases.ts';
import type { ServerProcess } from './support/processes.ts';
import { postgresRows, sqliteRows } from './support/row-stores.ts';

/** How much longer a ping may take than beside the same clients alone. */
const MAX_DELAY_MS = 100;
/** Read with `If-None-Match` all the time, and never edited. */
const SAMPLES = 200;
const CLIENTS = 3;
/** Each client pauses after a request, so that the server is busy but not saturated. */
const PAUSE_MS = 10;
const LIST_EVERY = 20;
const EDIT_EVERY = 50;
const POLL_MS = 1000;

interface Sizes {
  runs: number;
  artefacts: number;
  baselineMs: number;
}

/** Requests with an `If-None-Match` that was to match, and those that were answered with a whole document. */
interface Answers {
  conditional: number;
  wrong: number;
}

if (import.meta.main) await runBench((bench) => onBothDatabases(bench, measureDatabase));

async function measureDatabase(
  { directory, sizes, log }: Bench,
  database: string,
  postgresUrl?: string,
): Promise<Claim[]> {
  const { runs, artefacts, baselineMs } = sizes<Sizes>({
    full: { runs: 1, artefacts: 300_000, baselineMs: 30_000 },
    small: { runs: 1, artefacts: 2_000, baselineMs: 1_000 },
  });
  const dataDir = join(directory, database);
  const ids = Array.from({ length: artefacts - FIRST_COPY }, (_unused, index) => nameOf(FIRST_COPY + index).id);
  const start = () => startBerth(dataDir, postgresUrl === undefined ? {} : { DATABASE_URL: postgresUrl });
  log(`filling ${database} with ${artefacts} artefacts`);
  await (await startFilledBerth(dataDir, artefacts, postgresUrl))[Symbol.asyncDispose]();
  using rows = postgresUrl === undefined ? sqliteRows(dataDir) : postgresRows(postgresUrl);
  const figures = { delay: [] as number[], longest: [] as number[], seconds: [] as number[], wrong: [] as number[] };
  for (let run = 1; run <= runs; run++) {
    log(`${database}, run ${run} of ${runs}: the load alone`);
    const baseline = await (async () => {
      await using berth = await start();
      return await pingsBeside(berth, ids, () => sleep(baselineMs));
    })();
    await rows.run('update artefact_documents set document_version = 0');
    await rows.run('delete from job_runs');
    await rows.settle();
    log(`${database}, run ${run} of ${runs}: rendering ${artefacts} documents`);
    await using berth = await start();
    const startedAt = performance.now();
    const renewal = await pingsBeside(berth, ids, async () => {
      for (let isDone = false; !isDone; await sleep(POLL_MS)) {
        const [job] = await rows.readRows('job_runs', 'name', 'documents.render');
        isDone = job?.['outcome'] === 'succeeded';
      }
    });
    if (renewal.answers.conditional < SAMPLES) throw new Error('the clients have hardly read anything');
    figures.delay.push(renewal.p99Ms - baseline.p99Ms);
    figures.longest.push(renewal.maxMs);
    figures.seconds.push((performance.now() - startedAt) / 1000);
    figures.wrong.push(renewal.answers.wrong);
  }
  const prefix = `renewal: ${artefacts} documents on ${database}`;
  return [
    {
      claim: `${prefix}, ping p99 above the same load without`,
      unit: 'ms',
      ours: figures.delay,
      bar: { atMost: MAX_DELAY_MS },
    },
    { claim: `${prefix}, longest ping`, unit: 'ms', ours: figures.longest },
    { claim: `${prefix}, time`, unit: 's', ours: figures.seconds },
    {
      claim: `${prefix}, wrong answers to If-None-Match`,
      unit: 'broken',
      ours: figures.wrong,
      bar: { atMost: 0 },
    },
  ];
}

/** Pings the server while clients use it and `work` runs. */
async function pingsBeside(berth: ServerProcess, ids: readonly string[], work: () => Promise<unknown>) {
  const etags = new Map<string, string>();
  for (const id of ids.slice(0, SAMPLES)) etags.set(id, (await read(berth, id)).headers.get('etag') ?? '');
  const answers: Answers = { conditional: 0, wrong: 0 };
  const end = new AbortController();
  const endPings = await startPings(berth.url);
  const clients = Array.from({ length: CLIENTS }, () => useRegistry(berth, ids, etags, answers, end.signal));
  await work();
  const times = await endPings();
  end.abort();
  await Promise.all(clients);
  return { ...times, answers };
}

async function useRegistry(
  berth: ServerProcess,
  ids: readonly string[],
  etags: ReadonlyMap<string, string>,
  answers: Answers,
  signal: AbortSignal,
): Promise<void> {
  const samples = [...etags];
  for (let turn = 1; !signal.aborted; turn++) {
    const [sample, etag] = samples[Math.floor(Math.random() * samples.length)] ?? ['', ''];
    answers.conditional++;
    if ((await read(berth, sample, { 'if-none-match': etag })).status !== 304) answers.wrong++;
    if (turn % LIST_EVERY === 0) {
      const skip = Math.floor(Math.random() * 1000);
      await expectOk(await fetch(`${berth.url}/api/v1/artefacts?size=100&skip=${skip}`, { headers: INTERNAL }));
    }
    if (turn % EDIT_EVERY === 0) {
      const id = ids[SAMPLES + Math.floor(Math.random() * (ids.length - SAMPLES))] ?? '';
      const body = JSON.stringify({ title: { en: `Edited ${turn}` } });
      const headers = { ...INTERNAL, 'content-type': 'application/json' };
      await expectOk(await fetch(artefactUrl(berth, id), { method: 'PATCH', headers, body }));
    }
    await sleep(PAUSE_MS);
  }
}

async function read(berth: ServerProcess, id: string, headers: Record<string, string> = {}): Promise<Response> {
  const response = await fetch(artefactUrl(berth, id), { headers: { ...INTERNAL, ...headers } });
  await response.arrayBuffer();
  if (response.status !== 200 && response.status !== 304) throw new Error(`reading ${id} got ${response.status}`);
  return response;
}

async function expectOk(response: Response): Promise<void> {
  const body = await response.text();
  if (!response.ok) throw new Error(`${response.url} got status ${response.status}: ${body}`);
}
