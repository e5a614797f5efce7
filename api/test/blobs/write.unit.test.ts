import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, afterEach, before, describe, test } from 'node:test';
import { createBlobs } from '../../src/blobs/index.ts';
import { eventually } from '../support/eventually.ts';
import { DIALECTS } from '../support/test-database.ts';
import { makeFsStore } from './fs-fixture.ts';
import { BYTES, DIGEST, makeWriteFixture, type WriteFixture } from './write-fixture.ts';

for (const dialect of DIALECTS) {
  describe(`an upload on ${dialect}`, () => {
    let uploads: WriteFixture;
    before(async () => {
      uploads = await makeWriteFixture(dialect);
    });
    afterEach(() => uploads.empty());
    after(() => uploads.close());

    test('has a writer row before its first byte', async () => {
      const upload = await uploads.blobs.begin();
      const [writer, ...others] = await uploads.writers();
      assert.deepEqual(others, []);
      assert.deepEqual(await uploads.files(), [`${writer?.storage_key} unfinished`]);
      await upload.abort();
    });

    test('can be read only once it is adopted', async () => {
      const upload = await uploads.receive();
      assert.equal(upload.sizeBytes, BYTES.length);
      assert.partialDeepStrictEqual(await upload.finish(), { digest: DIGEST, sizeBytes: BYTES.length });
      await assert.rejects(uploads.blobs.read(DIGEST), { code: 'blob_missing' });
      await uploads.adopt(upload);
      await (await upload.finish()).settle();
      await uploads.assertStoredOnce();
      assert.deepEqual(await buffer(await uploads.blobs.read(DIGEST, { start: 5, end: 9 })), BYTES.subarray(5, 10));
      assert.deepEqual(await uploads.blobs.totals(), { count: 1, sizeBytes: BYTES.length });
    });

    test('may be empty', async () => {
      await uploads.publish(Buffer.alloc(0));
      assert.equal((await uploads.rows())[0]?.digest, `sha256:${createHash('sha256').digest('hex')}`);
    });

    test('of known bytes adopts the existing blob and deletes its own object', async () => {
      await uploads.publish();
      const [existing] = await uploads.rows();
      await uploads.publish();
      await uploads.assertStoredOnce();
      assert.equal((await uploads.rows())[0]?.storage_key, existing?.storage_key);
    });

    test('is stored once when several uploads of the same bytes run concurrently', async () => {
      await Promise.all(Array.from({ length: 6 }, () => uploads.publish()));
      await uploads.assertStoredOnce();
    });

    test('repairs a blob whose file is missing', async () => {
      await uploads.publish();
      const [lost] = await uploads.rows();
      await rm(join(uploads.root, lost!.storage_key));
      await assert.rejects(uploads.blobs.read(DIGEST), { code: 'blob_missing' });
      await uploads.publish();
      await uploads.assertStoredOnce();
      assert.notEqual((await uploads.rows())[0]?.storage_key, lost?.storage_key);
    });

    test('repairs a truncated blob, and deletes its old file', async () => {
      await uploads.publish();
      const [damaged] = await uploads.rows();
      await truncate(join(uploads.root, damaged!.storage_key), 1000);
      await uploads.publish();
      await uploads.assertStoredOnce();
      assert.notEqual((await uploads.rows())[0]?.storage_key, damaged?.storage_key);
    });

    test('repairs a blob marked as damaged, even if its size is right', async () => {
      await uploads.publish();
      await uploads.database.db.updateTable('blobs').set({ state: 'damaged' }).execute();
      await uploads.publish();
      await uploads.assertStoredOnce();
    });

    test('repairs a lost blob once when several uploads run concurrently', async () => {
      await uploads.publish();
      await rm(join(uploads.root, (await uploads.rows())[0]!.storage_key));
      await Promise.all([uploads.publish(), uploads.publish(), uploads.publish()]);
      await uploads.assertStoredOnce();
    });

    for (const [moment, prepare] of Object.entries({
      'at its start': () => uploads.blobs.begin(),
      'half-way': () => uploads.receive(BYTES.subarray(0, 100_000)),
      'after its bytes are durable': async () => {
        const upload = await uploads.receive();
        await upload.finish();
        return upload;
      },
    })) {
      test(`leaves nothing when it is aborted ${moment}`, async () => {
        const upload = await prepare();
        await upload.abort();
        await upload.abort();
        await uploads.assertNothing();
      });
    }

    test('leaves nothing when the transaction that adopted it fails', async () => {
      const upload = await uploads.receive();
      await upload.finish();
      await assert.rejects(
        uploads.database.transaction(async (tx) => {
          await (await upload.finish()).adopt(tx);
          throw new Error('refused');
        }),
        /refused/,
      );
      await upload.abort();
      await uploads.assertNothing();
    });

    test('leaves the existing blob unchanged when its adoption fails', async () => {
      await uploads.publish();
      const upload = await uploads.receive();
      await upload.finish();
      await assert.rejects(
        uploads.database.transaction(async (tx) => {
          await (await upload.finish()).adopt(tx);
          throw new Error('refused');
        }),
        /refused/,
      );
      await upload.abort();
      await uploads.assertStoredOnce();
    });

    test('can be adopted by a retried transaction', async () => {
      const upload = await uploads.receive();
      await upload.finish();
      let attempts = 0;
      await uploads.database.transaction(async (tx) => {
        await (await upload.finish()).adopt(tx);
        if (++attempts < 3) throw Object.assign(new Error('conflict'), { code: '40001' });
      });
      await (await upload.finish()).settle();
      await uploads.assertStoredOnce();
    });

    test('keeps its bytes when it is aborted after a commit whose response was lost', async () => {
      const upload = await uploads.receive();
      await upload.finish();
      await uploads.adopt(upload);
      await upload.abort();
      await uploads.assertStoredOnce();
    });

    test('keeps the bytes of the existing blob when it is aborted after such a commit', async () => {
      await uploads.publish();
      const upload = await uploads.receive();
      await upload.finish();
      await uploads.adopt(upload);
      await upload.abort();
      assert.equal((await uploads.rows()).length, 1);
      assert.ok(await uploads.readBack());
    });

    test('cannot be adopted after it was discarded, and changes nothing', async () => {
      const upload = await uploads.receive();
      await upload.finish();
      await uploads.database.db.deleteFrom('blob_writers').execute();
      await assert.rejects(uploads.adopt(upload), { code: 'blob_writer_closed' });
      assert.deepEqual(await uploads.rows(), []);
    });

    test('sends a heartbeat at most every 30 seconds', async (t) => {
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
      const upload = await uploads.blobs.begin();
      const heartbeatAt = async () => (await uploads.writers())[0]?.heartbeat_at;
      const first = await heartbeatAt();
      t.mock.timers.tick(29_000);
      await upload.write(BYTES);
      assert.equal(await heartbeatAt(), first);
      t.mock.timers.tick(2_000);
      await upload.write(BYTES);
      await eventually(async () => {
        assert.equal(Date.parse((await heartbeatAt()) ?? '') - Date.parse(first ?? ''), 31_000);
      });
      await upload.abort();
    });

    test('does not start on an unavailable storage, and leaves no writer', async () => {
      const removed = await makeFsStore();
      const broken = createBlobs({ database: uploads.database, store: removed.open() });
      await removed.remove();
      await assert.rejects(broken.begin(), { code: 'storage_unavailable' });
      await assert.rejects(broken.check(), { code: 'storage_unavailable' });
      assert.deepEqual(await uploads.writers(), []);
    });

    test('with an unknown digest cannot be read', async () => {
      await assert.rejects(uploads.blobs.read(`sha256:${'0'.repeat(64)}`), { code: 'blob_missing', status: 500 });
      assert.deepEqual(await uploads.blobs.totals(), { count: 0, sizeBytes: 0 });
    });
  });
}
