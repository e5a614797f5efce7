import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServer, restore, scrub, sweep } from '../../index.ts';
import { checkBackup } from '../../src/backup/index.ts';
import { blobsFolder } from '../../src/backup/layout.ts';
import { inThisRun, times } from '../support/combinations.ts';
import { assertTidy } from '../support/stored-state.ts';
import {
  CLUSTER,
  createTestInstance,
  EMBEDDED,
  expectOk,
  fill,
  nameOf,
  readEverything,
  type TestInstance,
} from './instance.ts';
import { runOperation, runToEnd } from './operation-process.ts';

/** Number of kills while blobs are copied. */
const KILLS = times({ often: 5, seldom: 2 });
/** Takes several parts on S3, so that a kill leaves an unfinished upload. */
const LARGE = 12_000_000;

for (const combination of inThisRun([EMBEDDED, CLUSTER])) {
  test(`blobs are copied ahead of a restore, killed at any moment, to ${nameOf(combination)}`, async () => {
    const scratch = await mkdtemp(join(tmpdir(), 'berth-ahead-'));
    const original = await createTestInstance(EMBEDDED);
    const target = await createTestInstance(combination);
    const ahead = { env: { ...target.env, BLOBS_ONLY: '1' } };
    const backup = join(scratch, 'backup');
    try {
      const server = await original.start();
      const sample = await fill(server);
      const publish = (id: string, sizeBytes: number) =>
        expectOk(server.upload(id, { format: 'file', file: randomBytes(sizeBytes) }));
      await publish('large', LARGE);
      await publish('deleted', 100_000);
      await publish('replaced', 100_000);
      await runToEnd('backup', backup, original);

      const { manifest } = await checkBackup(backup);
      for (let kill = 0; kill < KILLS; kill++) {
        const killAtBytes = randomInt(1, manifest.blobs.sizeBytes);
        const outcome = await runOperation('restore', backup, { ...ahead, killAtBytes });
        // The bytes of a later run are fewer.
        if (outcome) break;
        await assertUnusable(target);
      }
      const first = await runToEnd('restore', backup, ahead);
      assert.equal(first.report.blobs.restored + first.report.blobs.kept, manifest.blobs.count);
      await assertUnusable(target);
      assert.equal((await runToEnd('restore', backup, ahead)).report.blobs.restored, 0);
      const copied = await listDigests(backup);

      await publish('replaced', 200_000);
      await publish('new', 300_000);
      await expectOk(server.api('DELETE', '/artefacts/deleted', { headers: server.internal }));
      const responses = await readEverything(server, sample);
      await server.close();
      await runToEnd('backup', backup, original);
      const last = await listDigests(backup);

      const { blobs, lost } = await restore(target.env, backup);
      assert.deepEqual(lost, []);
      assert.deepEqual([blobs.restored, blobs.kept], [2, last.length - 2]);
      assert.equal(last.filter((digest) => !copied.includes(digest)).length, 2);

      const restored = await target.start();
      assert.deepEqual(await readEverything(restored, sample), responses);
      await restored.close();
      const { damagedBlobs, missingBlobs } = await scrub(target.env);
      assert.deepEqual([damagedBlobs, missingBlobs], [0, 0]);
      // The blobs that only the first backup had are garbage.
      const { removedBlobs, removedObjects } = await sweep({ ...target.env, GC_GRACE_HOURS: '0' });
      assert.deepEqual([removedBlobs, removedObjects], [0, 2]);
      const again = await target.start();
      assert.deepEqual(await readEverything(again, sample), responses);
      await assertTidy({ server: again.server, dataDir: target.env['DATA_DIR'] ?? '', s3: target.s3 });
      await again.close();
    } finally {
      await original.remove();
      await target.remove();
      await rm(scratch, { recursive: true });
    }
  });
}

/** Asserts that neither a server nor a sweep works on the instance. */
async function assertUnusable({ env }: TestInstance): Promise<void> {
  const refused = { code: 'restore_incomplete', message: /Run berth restore/ };
  await assert.rejects(createServer({ env: { ...env, PORT: '0' } }), refused);
  await assert.rejects(sweep({ ...env, GC_GRACE_HOURS: '0' }), refused);
}

async function listDigests(backup: string): Promise<string[]> {
  return (await readdir(blobsFolder(backup), { recursive: true })).filter((name) => name.includes('/'));
}
