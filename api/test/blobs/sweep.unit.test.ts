import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';
import { createSweep, type Sweep } from '../../src/blobs/sweep.ts';
import { createJobs } from '../../src/jobs/index.ts';
import { digestOf } from '../support/digests.ts';
import { DIALECTS } from '../support/test-database.ts';
import { readBlob, sampleBytes } from './contract/blob-bytes.ts';
import { openStorage, type StorageFixture } from './storage-fixture.ts';

const HOUR_MS = 3_600_000;
const GRACE_MS = 24 * HOUR_MS;
const BYTES = sampleBytes(5_000);
const NOTHING = { removedBlobs: 0, removedObjects: 0, endedUploads: 0, freedBytes: 0 };

for (const dialect of DIALECTS) {
  describe(`a sweep on ${dialect}`, () => {
    let storage: StorageFixture;
    let sweep: Sweep;
    let eager: Sweep;

    before(async () => {
      storage = await openStorage(dialect);
      sweep = storage.sweepAfter(GRACE_MS);
      eager = storage.sweepAfter(0);
    });
    afterEach(() => storage.clear());
    after(() => storage.close());

    const counts = async (of: Promise<Awaited<ReturnType<Sweep['run']>>>) => {
      const { removedBlobs, removedObjects, endedUploads, freedBytes } = await of;
      return { removedBlobs, removedObjects, endedUploads, freedBytes };
    };
    const digests = async () => (await storage.rows()).map(({ digest }) => digest);

    test('keeps referenced blobs, however old', async () => {
      const digest = await storage.publish(BYTES, 'kept');
      await storage.age(1000 * GRACE_MS);
      assert.deepEqual(await counts(sweep.run()), NOTHING);
      assert.deepEqual(await counts(eager.run()), NOTHING);
      assert.deepEqual(await digests(), [digest]);
      assert.deepEqual(await readBlob(storage.store, await storage.keyOf(digest)), BYTES);
    });

    test('removes a blob one grace period after a sweep has first found it unreferenced', async () => {
      await storage.publish(BYTES, 'short-lived');
      await storage.age(1000 * GRACE_MS);
      await storage.deleteArtefact('short-lived');
      assert.deepEqual(await counts(sweep.run()), NOTHING);
      await storage.age(GRACE_MS - HOUR_MS);
      assert.deepEqual(await counts(sweep.run()), NOTHING);
      await storage.age(2 * HOUR_MS);
      assert.deepEqual(await counts(sweep.run()), { ...NOTHING, removedBlobs: 1, freedBytes: BYTES.length });
      assert.deepEqual([await storage.rows(), await storage.files()], [[], []]);
    });

    test('restarts the grace period of a blob that was referenced again meanwhile', async () => {
      await storage.publish(BYTES, 'first');
      await storage.deleteArtefact('first');
      await sweep.run();
      await storage.age(GRACE_MS - HOUR_MS);
      await storage.publish(BYTES, 'second');
      assert.equal((await storage.rows())[0]?.unreferenced_since, null);
      await storage.deleteArtefact('second');
      await sweep.run();
      await storage.age(2 * HOUR_MS);
      assert.deepEqual(await counts(sweep.run()), NOTHING);
      assert.equal((await storage.rows()).length, 1);
    });

    test('keeps a referenced blob even if it is marked', async () => {
      const digest = await storage.publish(BYTES, 'kept');
      await storage.database.db.updateTable('blobs').set({ unreferenced_since: '2000-01-01T00:00:00.000Z' }).execute();
      assert.deepEqual(await counts(eager.run()), NOTHING);
      assert.deepEqual(await digests(), [digest]);
    });

    test('removes an orphaned object once it is older than the grace period', async () => {
      for (const [key, finish] of [
        ['aa/whole', true],
        ['aa/half', false],
      ] as const) {
        const writer = await storage.store.create(key);
        await writer.append(0, BYTES);
        await (finish ? writer.finish() : writer.suspend());
      }
      assert.deepEqual(await counts(sweep.run()), NOTHING);
      await storage.age(GRACE_MS + HOUR_MS);
      assert.deepEqual(await counts(sweep.run()), { ...NOTHING, removedObjects: 2, freedBytes: 2 * BYTES.length });
      assert.deepEqual(await storage.files(), []);
    });

    test('does not affect an upload in progress, however short the grace period is', async () => {
      const started = await storage.blobs.begin();
      const durable = await storage.receive(BYTES);
      assert.deepEqual(await counts(eager.run()), NOTHING);
      assert.equal((await storage.files()).length, 2);
      await started.write(BYTES);
      await started.finish();
      for (const upload of [started, durable]) {
        await storage.database.transaction(async (tx) => {
          await (await upload.finish()).adopt(tx);
          await storage.putSlot(tx, 'kept', digestOf(BYTES));
        });
        await (await upload.finish()).settle();
      }
      assert.deepEqual(await counts(eager.run()), NOTHING);
      assert.deepEqual(await readBlob(storage.store, await storage.keyOf(digestOf(BYTES))), BYTES);
    });

    test('ends the upload of a process that died, and removes its bytes', async () => {
      const dead = await storage.blobs.begin();
      await dead.write(BYTES);
      await storage.receive(BYTES);
      await storage.age(GRACE_MS - HOUR_MS);
      assert.deepEqual(await counts(sweep.run()), NOTHING);
      await storage.age(2 * HOUR_MS);
      const { endedUploads, removedObjects } = await sweep.run();
      assert.deepEqual([endedUploads, removedObjects], [2, 2]);
      assert.deepEqual([await storage.writers(), await storage.files()], [[], []]);
      // Closes the file that the death of a process would have closed.
      await dead.abort();
    });

    test('prevents an upload that it has ended from committing', async () => {
      const upload = await storage.receive(BYTES);
      await storage.age(GRACE_MS + HOUR_MS);
      await sweep.run();
      await assert.rejects(
        storage.database.transaction(async (tx) => (await upload.finish()).adopt(tx)),
        { code: 'blob_writer_closed' },
      );
      await upload.abort();
      assert.deepEqual([await storage.rows(), await storage.files()], [[], []]);
    });

    test('reports in a dry run what it would remove, and removes nothing', async () => {
      const digest = await storage.publish(BYTES, 'gone');
      await storage.publish(sampleBytes(100), 'kept');
      await storage.deleteArtefact('gone');
      await storage.receive(sampleBytes(7));
      await sweep.run();
      assert.deepEqual((await sweep.dryRun()).digests, []);
      await storage.age(GRACE_MS + HOUR_MS);
      const before = [await storage.rows(), await storage.writers(), await storage.files()];
      const preview = await sweep.dryRun();
      assert.deepEqual(preview.digests, [digest]);
      assert.ok(preview.dryRun);
      assert.deepEqual([await storage.rows(), await storage.writers(), await storage.files()], before);
      const result = await sweep.run();
      // A dry run leaves the blob's object in place and therefore checks one object more.
      const checkedObjects = result.checkedObjects + 1;
      assert.deepEqual(preview, { ...result, dryRun: true, checkedObjects, digests: [digest] });
    });

    test('without a grace period reports in a dry run what is unreferenced now', async () => {
      const digest = await storage.publish(BYTES);
      assert.deepEqual((await eager.dryRun()).digests, [digest]);
      assert.deepEqual(await counts(eager.run()), { ...NOTHING, removedBlobs: 1, freedBytes: BYTES.length });
    });

    test('removes the object of a blob when an earlier sweep died after deleting its row', async () => {
      const digest = await storage.publish(BYTES);
      const key = await storage.keyOf(digest);
      await storage.database.db.deleteFrom('blobs').execute();
      assert.deepEqual(await storage.files(), [key]);
      assert.deepEqual(await counts(eager.run()), { ...NOTHING, removedObjects: 1, freedBytes: BYTES.length });
      assert.deepEqual(await storage.files(), []);
    });

    test('processes more blobs than fit into one window, and reports its progress', async () => {
      const rows = Array.from({ length: 2_345 }, (_, n) => ({
        digest: `sha256:${n.toString().padStart(64, '0')}`,
        storage_key: `aa/${n}`,
        size: 1,
        state: 'sound',
        created_at: '',
      }));
      for (let start = 0; start < rows.length; start += 500)
        await storage.database.db
          .insertInto('blobs')
          .values(rows.slice(start, start + 500))
          .execute();
      await storage.database.transaction((tx) => storage.putSlot(tx, 'kept', rows[1234]!.digest));
      const reported: number[] = [];
      const result = await eager.run({ onProgress: ({ checkedBlobs }) => reported.push(checkedBlobs) });
      assert.deepEqual([result.checkedBlobs, result.removedBlobs], [2_345, 2_344]);
      assert.deepEqual(await digests(), [rows[1234]!.digest]);
      assert.deepEqual([...new Set(reported)], [1_000, 2_000, 2_345]);
    });

    test('stops between two batches when it is aborted', async () => {
      await storage.publish(BYTES);
      const stop = new AbortController();
      await assert.rejects(
        eager.run({
          signal: stop.signal,
          onProgress: () => {
            stop.abort(new Error('stopped'));
          },
        }),
        /stopped/,
      );
      assert.equal((await storage.rows()).length, 1);
    });

    test('changes nothing once its lease is lost', async (t) => {
      const { leases, close } = createJobs({ database: storage.database, onError: () => undefined });
      t.after(close);
      await storage.publish(BYTES);
      const upload = await storage.blobs.begin();
      await upload.write(BYTES);
      await storage.age(GRACE_MS + HOUR_MS);
      const lease = await leases.acquire('storage.sweep');
      await storage.database.db.updateTable('leases').set({ holder: 'a backup', token: 1_000 }).execute();
      await assert.rejects(eager.run({ assertHeld: (tx) => lease!.assertHeld(tx) }), { code: 'lease_lost' });
      assert.deepEqual(
        [(await storage.rows()).length, (await storage.writers()).length, (await storage.files()).length],
        [1, 1, 2],
      );
      await upload.abort();
    });

    test('fails when the storage is unavailable, and the next sweep removes the rest', async () => {
      await storage.publish(BYTES);
      const away = {
        ...storage.store,
        list: storage.store.list.bind(storage.store),
        delete: () => Promise.reject(Object.assign(new Error('away'), { code: 'storage_unavailable' })),
      };
      await assert.rejects(createSweep({ database: storage.database, store: away, graceMs: 0 }).run(), {
        code: 'storage_unavailable',
      });
      assert.deepEqual(await storage.rows(), []);
      assert.deepEqual(await counts(eager.run()), { ...NOTHING, removedObjects: 1, freedBytes: BYTES.length });
    });

    test('without a grace period never removes bytes of concurrent uploads and deletions of equal blobs', async () => {
      const bytes = [sampleBytes(1_000), randomBytes(1_000), Buffer.alloc(0)];
      let isPublishing = true;
      async function publishAndDelete(name: string): Promise<void> {
        for (let round = 0; round < 25; round++) {
          const chosen = bytes[round % bytes.length]!;
          const digest = await storage.publish(chosen, name);
          // While its slot is there, the bytes are.
          assert.deepEqual(await readBlob(storage.store, await storage.keyOf(digest)), Buffer.from(chosen));
          await storage.deleteArtefact(name);
        }
      }
      async function sweepContinuously(): Promise<number> {
        let removed = 0;
        while (isPublishing) removed += (await eager.run()).removedBlobs;
        return removed;
      }
      const sweeping = sweepContinuously();
      try {
        await Promise.all(Array.from({ length: 6 }, (_, n) => publishAndDelete(`racer-${n}`)));
      } finally {
        isPublishing = false;
      }
      assert.ok((await sweeping) > 0);
      await eager.run();
      assert.deepEqual([await storage.rows(), await storage.writers(), await storage.files()], [[], [], []]);
    });
  });
}
