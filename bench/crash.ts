// Kills Berth at random moments while clients upload, starts it again on the same data, and checks that every
// visible slot resolves to bytes of its digest, every blob row has its bytes, and what was acknowledged is there.
// 200 kills make the claim, the tests run 20.

import { createHash, randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { artefactUrl, INTERNAL, startBerth } from './support/berth-process.ts';
import { runBench } from './support/bench.ts';
import type { ServerProcess } from './support/processes.ts';
import { npmTarball } from './support/tarball.ts';

const IDS = ['@acme/import-gpkg@1', '@acme/import-gpkg@main', '@acme-export-1'];
const ARCHITECTURES = ['noarch', 'x64', 'arm64'];
const WORKERS = 4;
const MAX_CONTENT_BYTES = 3 * 1024 * 1024;
const MAX_LIFE_MS = 700;

/** What a slot may hold: what was acknowledged last, or anything that was sent since without an answer. */
interface Expectation { acknowledged: string | undefined; unanswered: Set<string> }

export interface CrashReport { kills: number; acknowledged: number; unanswered: number; broken: string[] }

/** Runs the rounds on a fresh data directory and reports every broken invariant, none when all is well. */
export async function runCrashes(kills: number): Promise<CrashReport> {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-crash-'));
  const expectations = new Map<string, Expectation>();
  const report: CrashReport = { kills: 0, acknowledged: 0, unanswered: 0, broken: [] };
  try {
    while (report.kills < kills && report.broken.length === 0) {
      const berth = await startBerth(dataDir);
      try {
        report.broken.push(...await findBroken(berth, dataDir, expectations));
        await uploadUntilKilled(berth, expectations, report);
      } finally {
        await berth.kill();
      }
      report.kills++;
    }
    const berth = await startBerth(dataDir);
    report.broken.push(...await findBroken(berth, dataDir, expectations));
    if (await berth.stop() !== 0) report.broken.push('SIGTERM did not end the server with 0');
    return report;
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function uploadUntilKilled(berth: ServerProcess, expectations: Map<string, Expectation>, report: CrashReport): Promise<void> {
  let alive = true;
  const workers = Array.from({ length: WORKERS }, async (_unused, worker) => {
    // A worker has slots of its own, so that the order of its answers is the order of its commits.
    while (alive) await uploadOnce(berth, slotOf(worker), expectations, report);
  });
  await new Promise((resolve) => setTimeout(resolve, randomInt(MAX_LIFE_MS)));
  alive = false;
  await berth.kill();
  await Promise.all(workers);
}

function slotOf(worker: number): { id: string; architecture: string } {
  const slots = IDS.flatMap((id) => ARCHITECTURES.map((architecture) => ({ id, architecture }))).filter((_slot, index) => index % WORKERS === worker);
  const slot = slots[randomInt(slots.length)];
  if (!slot) throw new Error('every worker has slots');
  return slot;
}

async function uploadOnce(berth: ServerProcess, { id, architecture }: { id: string; architecture: string }, expectations: Map<string, Expectation>, report: CrashReport): Promise<void> {
  const tarball = npmTarball('@acme/import-gpkg', '1.0.0', randomBytes(randomInt(MAX_CONTENT_BYTES)));
  const digest = `sha256:${createHash('sha256').update(tarball).digest('hex')}`;
  const key = `${id} ${architecture}`;
  const expectation = expectations.get(key) ?? { acknowledged: undefined, unanswered: new Set<string>() };
  expectations.set(key, expectation);
  expectation.unanswered.add(digest);
  const form = new FormData();
  form.set('architecture', architecture);
  form.set('file', new Blob([tarball]), 'plugin.tgz');
  try {
    const response = await fetch(artefactUrl(berth, 'npm', id), { method: 'POST', headers: INTERNAL, body: form });
    await response.text();
    if (response.status !== 201) report.broken.push(`an upload to ${key} was answered with ${response.status}`);
    expectations.set(key, { acknowledged: digest, unanswered: new Set() });
    report.acknowledged++;
  } catch {
    report.unanswered++;
  }
}

async function findBroken(berth: ServerProcess, dataDir: string, expectations: Map<string, Expectation>): Promise<string[]> {
  const { results } = await (await fetch(`${artefactUrl(berth)}?size=1000`, { headers: INTERNAL })).json() as { results: { _id: string; tarballs: Record<string, { digest: string; size: number }> }[] };
  const broken: string[] = [];
  const seen = new Set<string>();
  for (const { _id: id, tarballs } of results) {
    for (const [architecture, slot] of Object.entries(tarballs)) {
      const key = `${id} ${architecture}`;
      seen.add(key);
      const expectation = expectations.get(key);
      if (slot.digest !== expectation?.acknowledged && !expectation?.unanswered.has(slot.digest)) broken.push(`${key} holds ${slot.digest}, which was not its last upload`);
      const response = await fetch(`${artefactUrl(berth, id, 'tarball')}?architecture=${architecture}`, { headers: INTERNAL });
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.status !== 200 || bytes.length !== slot.size || `sha256:${createHash('sha256').update(bytes).digest('hex')}` !== slot.digest) {
        broken.push(`${key} does not resolve to bytes of its digest (status ${response.status}, ${bytes.length} of ${slot.size} bytes)`);
      }
    }
  }
  for (const [key, { acknowledged }] of expectations) if (acknowledged && !seen.has(key)) broken.push(`${key} was acknowledged and is gone`);
  return [...broken, ...await findRowsWithoutBytes(dataDir)];
}

async function findRowsWithoutBytes(dataDir: string): Promise<string[]> {
  const database = new DatabaseSync(join(dataDir, 'berth.db'), { readOnly: true });
  const rows = database.prepare('select digest, storage_key, size from blobs').all() as { digest: string; storage_key: string; size: number }[];
  database.close();
  const broken: string[] = [];
  for (const row of rows) {
    const size = await stat(join(dataDir, 'blobs', row.storage_key)).then((file) => file.size, () => -1);
    if (size !== row.size) broken.push(`blob ${row.digest} has ${size} of ${row.size} bytes`);
  }
  return broken;
}

if (import.meta.main) {
  await runBench(async ({ sizes, say }) => {
    const { runs: kills } = sizes({ full: { runs: 200 }, small: { runs: 3 } });
    const { broken, acknowledged, unanswered } = await runCrashes(kills);
    for (const invariant of broken) say(invariant);
    say(`${acknowledged} uploads were acknowledged, ${unanswered} were cut`);
    return [{ claim: `crash: invariants after ${kills} SIGKILLs under uploads`, unit: 'broken', ours: [broken.length], bar: { atMost: 0 } }];
  });
}
