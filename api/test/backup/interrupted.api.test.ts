import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createServer, restore } from '../../index.ts';
import { checkBackup } from '../../src/backup/index.ts';
import { inThisRun, times } from '../support/combinations.ts';
import { query } from '../support/stored-state.ts';
import {
  CLUSTER,
  createTestInstance,
  EMBEDDED,
  fill,
  nameOf,
  readEverything,
  type Combination,
  type SampleData,
  type TestInstance,
} from './instance.ts';
import { runOperation, runToEnd } from './operation-process.ts';

/** Number of kills per operation and combination. */
const KILLS = times({ often: 3, seldom: 2 });

for (const combination of inThisRun([EMBEDDED, CLUSTER])) {
  describe(`killed at any moment, on ${nameOf(combination)}`, () => {
    let scratch: string;
    let instance: TestInstance;
    let sample: SampleData;
    let responses: Record<string, unknown>;
    let whole: string;

    before(async () => {
      scratch = await mkdtemp(join(tmpdir(), 'berth-killed-'));
      instance = await createTestInstance(combination);
      const server = await instance.start();
      sample = await fill(server);
      responses = await readEverything(server, sample);
      await server.close();
      whole = join(scratch, 'whole');
    });
    after(async () => {
      await instance.remove();
      await rm(scratch, { recursive: true });
    });

    test('a backup leaves the previous one intact, and the next backup resumes', async () => {
      const { steps: stepsOfFirst } = await runToEnd('backup', whole, instance);
      const { steps } = await runToEnd('backup', whole, instance);
      const { manifest: before } = await checkBackup(whole);
      for (const killAt of spreadSteps(1, steps - 1)) {
        assert.equal(await runOperation('backup', whole, { ...instance, killAt }), undefined);
        await expireLeases(instance);
        assert.deepEqual((await checkBackup(whole)).manifest, before);
      }
      const again = join(scratch, 'again');
      assert.equal(await runOperation('backup', again, { ...instance, killAt: stepsOfFirst - 2 }), undefined);
      await expireLeases(instance);
      await assert.rejects(checkBackup(again), { code: 'backup_invalid' });
      const { report } = await runToEnd('backup', again, instance);
      assert.ok(report.blobs.kept > 0, 'blobs copied before the kill are not copied again');
      assert.deepEqual(await readFiles(again), await readFiles(whole));
    });

    test('a restore prevents servers from starting until it has been run again and completed', async () => {
      const { steps, report } = await withTarget(combination, (target) => runToEnd('restore', whole, target));
      // The first steps only check the backup: two phases, and each blob.
      for (const killAt of spreadSteps(report.blobs.count + 4, steps - 1)) {
        await withTarget(combination, async (target) => {
          assert.equal(await runOperation('restore', whole, { ...target, killAt }), undefined);
          await assert.rejects(createServer({ env: { ...target.env, PORT: '0' } }), {
            code: 'restore_incomplete',
            message: /Run berth restore with the same backup/,
          });
          await restore(target.env, whole);
          const server = await target.start();
          assert.deepEqual(await readEverything(server, sample), responses);
          await server.close();
        });
      }
    });
  });
}

async function withTarget<T>(combination: Combination, work: (target: TestInstance) => Promise<T>): Promise<T> {
  const target = await createTestInstance(combination);
  try {
    return await work(target);
  } finally {
    await target.remove();
  }
}

/** Releases all leases, instead of waiting 30 s until the lease of a killed process expires. */
async function expireLeases({ env }: TestInstance): Promise<void> {
  const { DATA_DIR = '', DATABASE_URL } = env;
  await query(
    { server: { config: { DATA_DIR, ...(DATABASE_URL !== undefined && { DATABASE_URL }) } } },
    'update leases set holder = null',
  );
}

/** Spreads KILLS steps evenly from the first to the last. */
function spreadSteps(first: number, last: number): number[] {
  return Array.from({ length: KILLS }, (_, n) => first + Math.round((n * (last - first)) / (KILLS - 1)));
}

/**
 * Reads every file of a backup by its name, without the manifest and the snapshot's name, which depend on the time.
 */
async function readFiles(directory: string): Promise<Record<string, string>> {
  const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter(
    (entry) => entry.isFile() && entry.name !== 'manifest.json',
  );
  return Object.fromEntries(
    (
      await Promise.all(
        files.map(async ({ name, parentPath }) => [name, await readFile(join(parentPath, name), 'base64')] as const),
      )
    ).toSorted(),
  );
}
