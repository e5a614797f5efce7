// Replicas that stop or die under load through nginx.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { times } from '../support/combinations.ts';
import { digestOf } from '../support/digests.ts';
import { eventually } from '../support/eventually.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { startBalancer, type Balancer } from './balancer.ts';
import { startReplicas, type Replicas } from './replicas.ts';

const WORKERS = 6;
/** Requests between two events. */
const REQUESTS = times({ often: 30, seldom: 12 });
/** Enough for a few dozen requests on a busy machine. */
const TIMEOUT_MS = 60_000;

let replicas: Replicas;
let nginx: Balancer;
let key: Record<string, string>;
let load: Load | undefined;

beforeEach(async () => {
  replicas = await startReplicas({ count: 3 });
  nginx = await startBalancer(replicas.all.map(({ url }) => url));
  key = { 'x-api-key': await replicas.all[0]!.uploadKey() };
});
afterEach(async () => {
  await load?.stop();
  await nginx.close();
  await replicas.close();
});

interface Load {
  /** Number of requests with the expected status. */
  done: number;
  /** Digests of acknowledged uploads, by ID. */
  acknowledged: Map<string, string>;
  failures: string[];
  stop(): Promise<void>;
}

/** Alternates uploads and lists through nginx. */
function startLoad(): Load {
  let running = true;
  const load: Load = {
    done: 0,
    acknowledged: new Map(),
    failures: [],
    stop: async () => {
      running = false;
      await workers;
    },
  };
  const request = async (expected: number, path: string, init: RequestInit) => {
    const response = await fetch(`${nginx.url}/api/v1${path}`, init).catch((error: unknown) => String(error));
    const text = typeof response === 'string' ? response : await response.text();
    const isDone = typeof response !== 'string' && response.status === expected;
    if (isDone) load.done++;
    else
      load.failures.push(
        `${init.method} ${path}: ${typeof response === 'string' ? '' : response.status} ${text.slice(0, 200)}`,
      );
    return isDone;
  };
  const workers = Promise.all(
    Array.from({ length: WORKERS }, async (_unused, worker) => {
      for (let count = 0; running; count++) {
        const id = `worker-${worker}-${count}`;
        const file = await npmTarball({ name: 'p', version: '1.0.0', files: { 'data.bin': randomBytes(200_000) } });
        const form = new FormData();
        form.set('file', new Blob([file]), 'plugin.tgz');
        if (await request(201, `/artefacts/npm/${id}`, { method: 'POST', headers: key, body: form }))
          load.acknowledged.set(id, digestOf(file));
        await request(200, '/artefacts', { method: 'GET' });
      }
    }),
  );
  return load;
}

/** Waits for this many more successful requests. */
async function untilDone(load: Load, more: number): Promise<void> {
  const floor = load.done + more;
  await eventually(async () => {
    assert.ok(load.done >= floor, `${load.done} of ${floor}: ${load.failures.join('\n')}`);
  }, TIMEOUT_MS);
}

async function assertAcknowledged(load: Load): Promise<void> {
  const replica = replicas.all.find(({ isRunning }) => isRunning())!;
  assert.ok(load.acknowledged.size > 0);
  for (const [id, digest] of load.acknowledged) {
    const response = await replica.api('GET', `/artefacts/${id}/tarball`, { headers: replica.internal });
    assert.equal(digestOf(new Uint8Array(await response.arrayBuffer())), digest, id);
  }
}

describe('under load', () => {
  test('replicas that shut down lose no request', async () => {
    load = startLoad();
    await untilDone(load, REQUESTS);
    assert.equal(await replicas.all[1]!.terminate(), 0);
    await untilDone(load, REQUESTS);
    assert.equal(await replicas.all[2]!.terminate(), 0);
    await untilDone(load, REQUESTS);
    await load.stop();
    assert.deepEqual(load.failures, []);
    await assertAcknowledged(load);
  });

  test('a killed replica loses only its requests in flight', async () => {
    load = startLoad();
    await untilDone(load, REQUESTS);
    await replicas.all[1]!.stop();
    await untilDone(load, 10);
    const failedWhenKilled = load.failures.length;
    await untilDone(load, 2 * REQUESTS);
    await load.stop();
    assert.equal(load.failures.length, failedWhenKilled, load.failures.join('\n'));
    assert.ok(failedWhenKilled <= WORKERS, load.failures.join('\n'));
    await assertAcknowledged(load);
  });
});
