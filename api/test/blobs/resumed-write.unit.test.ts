import assert from 'node:assert/strict';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { DIALECTS } from '../support/test-database.ts';
import { BYTES, DIGEST, makeWriteFixture, TOMORROW, type WriteFixture } from './write-fixture.ts';

for (const dialect of DIALECTS) {
  describe(`an upload that is resumed on ${dialect}`, () => {
    let uploads: WriteFixture;
    before(async () => {
      uploads = await makeWriteFixture(dialect);
    });
    afterEach(() => uploads.empty());
    after(() => uploads.close());

    test('goes on after it was uploads.suspended, and nobody needs to read anything back', async () => {
      const upload = await uploads.receive(BYTES.subarray(0, 100_000));
      await upload.suspend(TOMORROW);
      assert.equal((await uploads.writers())[0]?.heartbeat_at, TOMORROW.toISOString());
      assert.deepEqual([upload.sizeBytes, upload.isHashed], [100_000, true]);
      await assert.rejects(upload.write(BYTES), { code: 'blob_writer_closed' });
      await upload.reopen();
      await upload.write(BYTES.subarray(100_000));
      assert.partialDeepStrictEqual(await upload.finish(() => Promise.reject(new Error('nothing was missed'))), {
        digest: DIGEST,
        sizeBytes: BYTES.length,
      });
      await uploads.adopt(upload);
      await (await upload.finish()).settle();
      await uploads.assertStoredOnce();
    });

    test('goes on in another process by its key, and reads back once what that one did not see', async () => {
      const { storageKey } = await uploads.suspended(BYTES.subarray(0, 100_000));
      const upload = await uploads.blobs.resume(storageKey);
      assert.deepEqual([upload.sizeBytes, upload.isHashed], [100_000, false]);
      await upload.write(BYTES.subarray(100_000));
      const missed: Buffer[] = [];
      assert.partialDeepStrictEqual(
        await upload.finish(async (chunk) => {
          missed.push(Buffer.from(chunk));
        }),
        { digest: DIGEST, sizeBytes: BYTES.length },
      );
      assert.ok(Buffer.concat(missed).equals(BYTES));
      await uploads.adopt(upload);
      await (await upload.finish()).settle();
      await uploads.assertStoredOnce();
    });

    test('reads back no more than what others appended meanwhile', async () => {
      const first = await uploads.suspended(BYTES.subarray(0, 100_000));
      const other = await uploads.blobs.resume(first.storageKey);
      await other.write(BYTES.subarray(100_000, 200_000));
      await other.suspend(TOMORROW);
      await first.reopen();
      assert.deepEqual([first.sizeBytes, first.isHashed], [200_000, false]);
      await first.write(BYTES.subarray(200_000));
      const missed: Buffer[] = [];
      assert.equal(
        (
          await first.finish(async (chunk) => {
            missed.push(Buffer.from(chunk));
          })
        ).digest,
        DIGEST,
      );
      assert.ok(Buffer.concat(missed).equals(BYTES.subarray(100_000)));
      await first.abort();
      await uploads.assertNothing();
    });

    test('whose object was whole when its process died is adopted by the next one', async () => {
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

    test('may be asked for its end again', async () => {
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

    test('that nobody has open leaves nothing when it is discarded, and what was adopted stays', async () => {
      await uploads.blobs.discard((await uploads.suspended(BYTES)).storageKey);
      await uploads.assertNothing();
      const upload = await uploads.receive();
      await upload.finish();
      await uploads.adopt(upload);
      await uploads.blobs.discard(upload.storageKey);
      await uploads.assertStoredOnce();
    });

    test('cannot go on once it was discarded, or shorter than it was', async () => {
      const gone = await uploads.suspended(BYTES);
      await uploads.blobs.discard(gone.storageKey);
      await assert.rejects(gone.reopen(), { code: 'blob_missing' });
      await assert.rejects(uploads.blobs.resume(gone.storageKey), { code: 'blob_missing' });
      const cut = await uploads.suspended(BYTES);
      await truncate(join(uploads.root, `${cut.storageKey}~part`), 1000);
      await assert.rejects(cut.reopen(), { code: 'blob_missing' });
      assert.equal((await uploads.blobs.resume(cut.storageKey)).sizeBytes, 1000);
    });
  });
}
