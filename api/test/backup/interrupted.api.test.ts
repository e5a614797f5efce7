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
  createPlace,
  EMBEDDED,
  fill,
  nameOf,
  walk,
  type Combination,
  type Filled,
  type Place,
} from './instance.ts';
import { runOperation, runToEnd } from './operation-process.ts';

/** Kills of each operation on each combination. */
const KILLS = times({ often: 3, seldom: 2 });

for (const combination of inThisRun([EMBEDDED, CLUSTER])) {
  describe(`killed at any moment, on ${nameOf(combination)}`, () => {
    let scratch: string;
    let place: Place;
    let filled: Filled;
    let seen: Record<string, unknown>;
    let whole: string;

    before(async () => {
      scratch = await mkdtemp(join(tmpdir(), 'berth-killed-'));
      place = await createPlace(combination);
      const server = await place.start();
      filled = await fill(server);
      seen = await walk(server, filled);
      await server.close();
      whole = join(scratch, 'whole');
    });
    after(async () => {
      await place.remove();
      await rm(scratch, { recursive: true });
    });

    test('a backup leaves the one before whole, and the next goes on', async () => {
      const { steps: stepsOfFirst } = await runToEnd('backup', whole, place);
      const { steps } = await runToEnd('backup', whole, place);
      const { manifest: before } = await checkBackup(whole);
      for (const killAt of moments(1, steps - 1)) {
        assert.equal(await runOperation('backup', whole, { ...place, killAt }), undefined);
        await forgetLeases(place);
        assert.deepEqual((await checkBackup(whole)).manifest, before);
      }
      const again = join(scratch, 'again');
      assert.equal(await runOperation('backup', again, { ...place, killAt: stepsOfFirst - 2 }), undefined);
      await forgetLeases(place);
      await assert.rejects(checkBackup(again), { code: 'backup_invalid' });
      const { report } = await runToEnd('backup', again, place);
      assert.ok(report.blobs.kept > 0, 'what was copied before is not copied again');
      assert.deepEqual(await contents(again), await contents(whole));
    });

    test('a restore keeps servers away from its half, and goes on when it is run again', async () => {
      const { steps, report } = await withTarget(combination, (target) => runToEnd('restore', whole, target));
      // The first steps look through the backup and change nothing: two phases, and each blob.
      for (const killAt of moments(report.blobs.count + 4, steps - 1)) {
        await withTarget(combination, async (target) => {
          assert.equal(await runOperation('restore', whole, { ...target, killAt }), undefined);
          await assert.rejects(createServer({ env: { ...target.env, PORT: '0' } }), {
            code: 'restore_incomplete',
            message: /Run berth restore again/,
          });
          await restore(target.env, whole);
          const server = await target.start();
          assert.deepEqual(await walk(server, filled), seen);
          await server.close();
        });
      }
    });
  });
}

async function withTarget<T>(combination: Combination, work: (target: Place) => Promise<T>): Promise<T> {
  const target = await createPlace(combination);
  try {
    return await work(target);
  } finally {
    await target.remove();
  }
}

/** Does what time would: the lease of a process that was killed expires after 30 s. */
async function forgetLeases({ env }: Place): Promise<void> {
  const { DATA_DIR = '', DATABASE_URL } = env;
  await query(
    { server: { config: { DATA_DIR, ...(DATABASE_URL !== undefined && { DATABASE_URL }) } } },
    'update leases set holder = null',
  );
}

/** Steps spread over the work, from the first one named to the last. */
function moments(first: number, last: number): number[] {
  return Array.from({ length: KILLS }, (_, n) => first + Math.round((n * (last - first)) / (KILLS - 1)));
}

/** Every file of a backup by its name, without the manifest and the name of the snapshot, which tell the time. */
async function contents(directory: string): Promise<Record<string, string>> {
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
