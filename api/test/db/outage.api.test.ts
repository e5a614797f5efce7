// A database outage of ten seconds under load. The server runs in its own process.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startReplicas, type Replica, type Replicas } from '../replicas/replicas.ts';
import { inThisRun } from '../support/combinations.ts';
import { digestOf } from '../support/digests.ts';
import { eventually } from '../support/eventually.ts';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.ts';
import { beginSlowUpload } from '../support/slow-upload.ts';
import { query, readStoredState } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD } from '../support/test-client.ts';

const OUTAGE_MS = 10_000;
const tarball = (content: Uint8Array = randomBytes(100_000)) =>
  npmTarball({ name: 'p', version: '1.0.0', files: { 'data.bin': content } });

let cluster: PostgresCluster;
let replicas: Replicas;
let berth: Replica;
let key: string;

before(async () => {
  cluster = await startPostgresCluster({ durable: true });
  // Statements must time out before the frozen database resumes.
  replicas = await startReplicas({ count: 1, storage: 'fs', databaseUrl: `${cluster.url}&query_timeout=2000` });
  berth = replicas.all[0]!;
  key = await berth.uploadKey();
  assert.equal((await berth.upload('present', { file: await tarball() })).status, 201);
});
after(async () => {
  await replicas.close();
  await cluster.stop();
});

/** Digests of acknowledged uploads, by artefact. */
const acknowledged = new Map<string, string>();
let counter = 0;

/** Every kind of request. */
const KINDS: Record<string, () => Promise<Response>> = {
  'reading a document': () => berth.api('GET', '/artefacts/present', { headers: berth.internal }),
  'listing': () => berth.api('GET', '/artefacts?q=present', { headers: berth.internal }),
  'downloading': () => berth.api('GET', '/artefacts/present/tarball', { headers: berth.internal }),
  'using a key': () => berth.api('GET', '/session', { headers: { 'x-api-key': key } }),
  'changing': () =>
    berth.api('PATCH', '/artefacts/present', {
      headers: berth.internal,
      body: { title: { en: `Title ${++counter}` } },
    }),
  'uploading': async () => {
    const [id, file] = [`upload-${++counter}`, await tarball()];
    const response = await berth.upload(id, { file, headers: { 'x-api-key': key } });
    if (response.status === 201) acknowledged.set(id, digestOf(file));
    return response;
  },
  'signing in': () =>
    fetch(`${berth.url}/api/auth/sign-in/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: ADMIN_EMAIL, password: ADMIN_PASSWORD }),
    }),
};

interface Load {
  successes: Record<string, number>;
  refusals: Record<string, number>;
  unexpected: string[];
  stop(): Promise<void>;
}

/** Sends requests of every kind concurrently, one at a time per kind, until stopped. */
function startLoad(): Load {
  let running = true;
  const zero = () => Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0]));
  const load: Load = {
    successes: zero(),
    refusals: zero(),
    unexpected: [],
    stop: async () => {
      running = false;
      await workers;
    },
  };
  const workers = Promise.all(
    Object.entries(KINDS).map(async ([kind, send]) => {
      while (running) {
        const response = await send();
        const body = await response.text();
        if (response.ok || response.status === 429) load.successes[kind]!++;
        else if (
          response.status === 503 &&
          body.includes('"database_unavailable"') &&
          response.headers.get('retry-after') !== null
        )
          load.refusals[kind]!++;
        else load.unexpected.push(`${kind}: ${response.status} ${body}`);
        await sleep(20);
      }
    }),
  );
  return load;
}

async function countDownloads(): Promise<number> {
  const [row] = await query<{ downloads: number }>(
    berth,
    'select coalesce(sum(downloads), 0)::int as downloads from daily_transfers',
  );
  return row?.downloads ?? 0;
}

/** When the last successful sweep ended. */
async function lastSweep(): Promise<string | undefined> {
  const [row] = await query<{ ended_at: string }>(
    berth,
    `select ended_at from job_runs where name = 'storage.sweep' and outcome = 'succeeded' and ended_at is not null`,
  );
  return row?.ended_at;
}

async function readiness(): Promise<unknown> {
  const response = await fetch(`${berth.url}/api/health/ready`);
  return [response.status, await response.json()];
}

const allAbove = (counts: Record<string, number>, floors: Record<string, number>) => {
  for (const [kind, count] of Object.entries(counts)) assert.ok(count > floors[kind]!, `${kind}: ${count}`);
};

describe('a PostgreSQL outage of ten seconds', () => {
  for (const { name, begin, end } of inThisRun([
    { name: 'by a power failure', begin: () => cluster.become('down'), end: () => cluster.become('up') },
    { name: 'by a freeze', begin: () => cluster.become('freeze'), end: () => cluster.become('thaw') },
  ])) {
    test(`${name}: 503 meanwhile, no acknowledged upload is lost, and service resumes without a restart`, async () => {
      const countedBefore = await countDownloads();
      const load = startLoad();
      await eventually(async () => {
        allAbove(load.successes, load.refusals);
      });
      const slow = await beginSlowUpload(berth, { id: 'half-way', file: await tarball() });

      await begin();
      const restored = sleep(OUTAGE_MS).then(end);
      await eventually(async () => {
        assert.deepEqual(await readiness(), [503, { status: 'unavailable', database: 'unavailable', storage: 'ok' }]);
      });
      const { status, code } = await slow.finish();
      assert.deepEqual([status, code], [503, 'database_unavailable']);
      assert.equal((await fetch(`${berth.url}/api/health/live`)).status, 200);
      assert.equal((await fetch(`${berth.url}/metrics`)).status, 200);
      await restored;

      const before = { ...load.successes };
      await eventually(async () => {
        allAbove(load.successes, before);
      });
      assert.deepEqual(await readiness(), [200, { status: 'ok', database: 'ok', storage: 'ok' }]);
      await load.stop();
      assert.deepEqual(load.unexpected, []);
      allAbove(load.refusals, Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0])));
      assert.ok(berth.isRunning());

      // Due jobs run again.
      const sweptBefore = await lastSweep();
      assert.equal(
        (await berth.api('POST', '/storage/sweep', { headers: await berth.superadmin(), body: {} })).status,
        202,
      );
      await eventually(async () => {
        assert.notEqual(await lastSweep(), sweptBefore);
      });

      // Download counts are buffered in memory during the outage.
      await eventually(async () => {
        assert.ok((await countDownloads()) >= countedBefore + load.successes['downloading']!);
      });
      assert.equal((await berth.api('GET', '/artefacts/half-way', { headers: berth.internal })).status, 404);
      for (const [id, digest] of acknowledged) {
        const response = await berth.api('GET', `/artefacts/${id}/tarball`, { headers: berth.internal });
        assert.equal(digestOf(new Uint8Array(await response.arrayBuffer())), digest, id);
      }
      const { blobs, files, slots } = await readStoredState(berth);
      for (const blob of blobs) assert.ok(files.includes(blob.split('/').at(-1)!), blob);
      assert.equal(slots.length, new Set(slots.map((slot) => slot.split(' ')[0])).size);
    });
  }

  test('causes no unhandled rejection', async () => {
    assert.doesNotMatch(await berth.stop(), /unhandled|uncaught|\(node:\d+\)/i);
  });
});
