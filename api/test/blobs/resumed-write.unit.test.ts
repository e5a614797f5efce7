import assert from 'node:assert/strict';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { DIALECTS } from '../support/test-database.ts';
import { BYTES, DIGEST, makeWriteFixture, TOMORROW, type WriteFixture } from './write-fixture.ts';

for (const dialect of DIALECTS) {
  describe(`a resumed upload on ${dialect}`, () => {
    let uploads: WriteFixture;
    before(async () => {
      uploads = await makeWriteFixture(dialect);
    });
    afterEach(() => uploads.empty());
    after(() => uploads.close());

    test('continues after it was suspended without reading anything back', async () => {
      const upload = await uploads.receive(BYTES.subarray(0, 100_000));
      await upload.suspend(TOMORROW);
      assert.equal((await uploads.writers())[0]?.heartbeat_at, TOMORROW.toISOString());
      assert.deepEqual([upload.sizeBytes, upload.isHashed], [100_000, true]);
      await assert.rejects(upload.write(BYTES), { code: 'blob_writer_closed' });
      await upload.reopen();
      await upload.write(BYTES.subarray(100_000));
      assert.partialDeepStrictEqual(await upload.finish(() => Promise.reject(new Error('nothing to read back'))), {
        digest: DIGEST,
        sizeBytes: BYTES.length,
      });
      await uploads.adopt(upload);
      await (await upload.finish()).settle();
      await uploads.assertStoredOnce();
    });

    test('continues in another process by its key, and reads back the earlier bytes once', async () => {
      const { storageKey } = await uploads.suspended(BYTES.subarray(0, 100_000));
      const upload = await uploads.blobs.resume(storageKey);
      assert.deepEqual([upload.sizeBytes, upload.isHashed], [100_000, false]);
      await upload.write(BYTES.subarray(100_000));
      const readBack: Buffer[] = [];
      assert.partialDeepStrictEqual(
        await upload.finish(async (chunk) => {
          readBack.push(Buffer.from(chunk));
        }),
        { digest: DIGEST, sizeBytes: BYTES.length },
      );
      assert.ok(Buffer.concat(readBack).equals(BYTES));
      await uploads.adopt(upload);
      await (await upload.finish()).settle();
      await uploads.assertStoredOnce();
    });

    test('reads back only the bytes from where another process has appended', async () => {
      const first = await uploads.suspended(BYTES.subarray(0, 100_000));
      const other = await uploads.blobs.resume(first.storageKey);
      await other.write(BYTES.subarray(100_000, 200_000));
      await other.suspend(TOMORROW);
      await first.reopen();
      assert.deepEqual([first.sizeBytes, first.isHashed], [200_000, false]);
      await first.write(BYTES.subarray(200_000));
      const readBack: Buffer[] = [];
      assert.equal(
        (
          await first.finish(async (chunk) => {
            readBack.push(Buffer.from(chunk));
          })
        ).digest,
        DIGEST,
      );
      assert.ok(Buffer.concat(readBack).equals(BYTES.subarray(100_000)));
      await first.abort();
      await uploads.assertNothing();
    });

    test('whose object was complete when its process died can be adopted by another process', async () => {
      const dead = await uploads.blobs.begin();
      await dead.write(BYTES);
      await dead.finish();
      const upload = await uploads.blobs.resume(dead.storageKey);
      assert.equal(upload.sizeBytes, BYTES.length);
      assert.equal((await upload.finish()).digest, DIGEST);
      await uploads.adopt(upload);
      await (await upload.finish()).settle();
      await uploads.assertStoredOnce();
    });

    test('can be finished twice', async () => {
      const upload = await uploads.receive();
      assert.deepEqual(await upload.finish(), await upload.finish());
      await upload.abort();
      await uploads.assertNothing();
    });

    for (const [moment, prepare] of Object.entries({
      suspended: () => uploads.suspended(BYTES.subarray(0, 1000)),
      resumed: async () => uploads.blobs.resume((await uploads.suspended(BYTES)).storageKey),
    })) {
      test(`leaves nothing when it is aborted while it is ${moment}`, async () => {
        await (await prepare()).abort();
        await uploads.assertNothing();
      });
    }

    test('leaves nothing when it is discarded, unless it was adopted', async () => {
      await uploads.blobs.discard((await uploads.suspended(BYTES)).storageKey);
      await uploads.assertNothing();
      const upload = await uploads.receive();
      await upload.finish();
      await uploads.adopt(upload);
      await uploads.blobs.discard(upload.storageKey);
      await uploads.assertStoredOnce();
    });

    test('cannot continue after it was discarded or truncated', async () => {
      const discarded = await uploads.suspended(BYTES);
      await uploads.blobs.discard(discarded.storageKey);
      await assert.rejects(discarded.reopen(), { code: 'blob_missing' });
      await assert.rejects(uploads.blobs.resume(discarded.storageKey), { code: 'blob_missing' });
      const truncated = await uploads.suspended(BYTES);
      await truncate(join(uploads.root, `${truncated.storageKey}~part`), 1000);
      await assert.rejects(truncated.reopen(), { code: 'blob_missing' });
      assert.equal((await uploads.blobs.resume(truncated.storageKey)).sizeBytes, 1000);
    });
  });
}
