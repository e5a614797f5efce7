import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { restore } from '../../index.ts';
import { inThisRun, times } from '../support/combinations.ts';
import type { TestServer } from '../support/test-server.ts';
import {
  CLUSTER,
  createTestInstance,
  EMBEDDED,
  expectOk,
  nameOf,
  type Combination,
  type TestInstance,
} from './instance.ts';
import { runToEnd } from './operation-process.ts';

/** Number of consecutive backups into the same directory while the server is under load. */
const BACKUPS = times({ often: 3, seldom: 2 });
const IDS = Array.from({ length: 12 }, (_, n) => `tiles-${n}`);
/** The other artefacts are only replaced, so that no backup is empty. */
const DELETABLE_IDS = IDS.slice(0, 6);

for (const combination of inThisRun([EMBEDDED, CLUSTER])) {
  test(
    'a backup during uploads, deletions and sweeps contains all blobs of all its documents, ' +
      `on ${nameOf(combination)}`,
    async () => {
      const scratch = await mkdtemp(join(tmpdir(), 'berth-load-'));
      const instance = await createTestInstance(combination);
      instance.env['GC_GRACE_HOURS'] = '0';
      try {
        const server = await instance.start();
        const { uploads, deletions, sweeps } = await underLoad(server, async () => {
          for (let n = 0; n < BACKUPS; n++) {
            const { report } = await runToEnd('backup', join(scratch, 'backup'), instance);
            assert.deepEqual(report.lost, []);
          }
        });
        assert.ok(
          uploads > BACKUPS && deletions > 0 && sweeps > 0,
          `${uploads} uploads, ${deletions} deletions, ${sweeps} sweeps`,
        );
        await assertConsistent(combination, join(scratch, 'backup'));
      } finally {
        await instance.remove();
        await rm(scratch, { recursive: true });
      }
    },
  );
}

/**
 * Keeps the server under load during `work`, then closes it. Requests may only fail because of a concurrent one.
 * @returns the number of operations of each kind
 */
async function underLoad(
  server: TestServer,
  work: () => Promise<void>,
): Promise<{ uploads: number; deletions: number; sweeps: number }> {
  const counts = { uploads: 0, deletions: 0, sweeps: 0 };
  let isRunning = true;
  const pick = (ids: readonly string[]) => ids[Math.floor(Math.random() * ids.length)] ?? '';
  const admin = await server.superadmin();
  const loop = async (step: () => Promise<void>) => {
    while (isRunning) await step();
  };
  const upload = async () => {
    await expectOk(server.upload(pick(IDS), { format: 'file', file: randomBytes(200_000) }));
    counts.uploads++;
  };
  const remove = async () => {
    const { status } = await server.api('DELETE', `/artefacts/${pick(DELETABLE_IDS)}`, { headers: admin });
    assert.ok([204, 404].includes(status), `a deletion: ${status}`);
    if (status === 204) counts.deletions++;
  };
  const sweep = async () => {
    const { status } = await server.api('POST', '/storage/sweep', { headers: admin });
    assert.ok([200, 202, 409].includes(status), `a sweep: ${status}`);
    if (status !== 409) counts.sweeps++;
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  };
  for (const id of IDS) await expectOk(server.upload(id, { format: 'file', file: randomBytes(200_000) }));
  const loops = Promise.all([loop(upload), loop(upload), loop(remove), loop(sweep)]);
  try {
    // A failed request ends the test at once.
    await Promise.race([work(), loops]);
  } finally {
    isRunning = false;
    await Promise.allSettled([loops]);
    await server.close();
  }
  await loops;
  return counts;
}

/** Asserts that every document of the restored instance has a download with its digest. */
async function assertConsistent(combination: Combination, directory: string): Promise<void> {
  const target: TestInstance = await createTestInstance(combination);
  try {
    await restore(target.env, directory);
    const server = await target.start();
    try {
      const { results } = (await (
        await server.api('GET', '/artefacts?size=1000', { headers: server.internal })
      ).json()) as { results: { _id: string; digest: string }[] };
      assert.ok(results.length > 0);
      for (const { _id, digest } of results) {
        const bytes = await (
          await expectOk(server.api('GET', `/artefacts/${_id}/download`, { headers: server.internal }))
        ).bytes();
        assert.equal(`sha256:${createHash('sha256').update(bytes).digest('hex')}`, digest);
      }
    } finally {
      await server.close();
    }
  } finally {
    await target.remove();
  }
}
