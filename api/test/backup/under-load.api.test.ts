import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { restore } from '../../index.ts';
import type { TestServer } from '../support/test-server.ts';
import { CLUSTER, createPlace, EMBEDDED, expectOk, nameOf, type Combination, type Place } from './instance.ts';
import { runToEnd } from './operation-process.ts';

/** One after another into the same folder, each while the load goes on. */
const BACKUPS = 3;
const IDS = Array.from({ length: 12 }, (_, n) => `tiles-${n}`);

interface Load { stop(): Promise<{ uploads: number; deletions: number; sweeps: number }> }

for (const combination of [EMBEDDED, CLUSTER]) {
  test(`a backup taken while uploads, deletions and sweeps go on has all bytes of all its documents, on ${nameOf(combination)}`, async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'berth-load-'));
    const place = await createPlace(combination);
    place.env['GC_GRACE_HOURS'] = '0';
    try {
      const server = await place.start();
      const load = await begin(server);
      for (let n = 0; n < BACKUPS; n++) {
        const { report } = await runToEnd('backup', join(scratch, 'backup'), place);
        assert.deepEqual(report.lost, []);
      }
      const { uploads, deletions, sweeps } = await load.stop();
      await server.close();
      assert.ok(uploads > BACKUPS && deletions > 0 && sweeps > 0, `${uploads} uploads, ${deletions} deletions, ${sweeps} sweeps`);
      await isConsistent(combination, join(scratch, 'backup'));
    } finally {
      await place.remove();
      await rm(scratch, { recursive: true });
    }
  });
}

/** Keeps everything busy until it is stopped; no request of it may fail but those that a neighbour forestalled. */
async function begin(server: TestServer): Promise<Load> {
  const counts = { uploads: 0, deletions: 0, sweeps: 0 };
  let going = true;
  const pick = () => IDS[Math.floor(Math.random() * IDS.length)] ?? '';
  const admin = await server.superadmin();
  const loop = async (step: () => Promise<void>) => { while (going) await step(); };
  const upload = async () => {
    await expectOk(server.upload(pick(), { format: 'file', file: randomBytes(200_000) }));
    counts.uploads++;
  };
  const remove = async () => {
    const { status } = await server.api('DELETE', `/artefacts/${pick()}`, { headers: admin });
    assert.ok([204, 404].includes(status), `a deletion: ${status}`);
    if (status === 204) counts.deletions++;
  };
  const sweep = async () => {
    const { status } = await server.api('POST', '/storage/sweep', { headers: admin });
    assert.ok([200, 202, 409].includes(status), `a sweep: ${status}`);
    if (status !== 409) counts.sweeps++;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  };
  for (const id of IDS) await expectOk(server.upload(id, { format: 'file', file: randomBytes(200_000) }));
  const loops = [loop(upload), loop(upload), loop(remove), loop(sweep)];
  return {
    async stop() {
      going = false;
      await Promise.all(loops);
      return counts;
    },
  };
}

/** Every document of the restored instance leads to bytes of its digest. */
async function isConsistent(combination: Combination, directory: string): Promise<void> {
  const target: Place = await createPlace(combination);
  try {
    await restore(target.env, directory);
    const server = await target.start();
    const { results } = await (await server.api('GET', '/artefacts?size=1000', { headers: server.internal })).json() as { results: { _id: string; digest: string }[] };
    assert.ok(results.length > 0);
    for (const { _id, digest } of results) {
      const bytes = await (await expectOk(server.api('GET', `/artefacts/${_id}/download`, { headers: server.internal }))).bytes();
      assert.equal(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, digest);
    }
    await server.close();
  } finally {
    await target.remove();
  }
}
