// Blob sizes around the length of an S3 part, for every way in which a writer can end.

import assert from 'node:assert/strict';
import { createStorageKey, type BlobStore, type BlobWriter } from '../../../src/blobs/blob-store.ts';
import type { BlobStoreFixture, DefineCase } from './fixture.ts';
import { appendAll, assertHolds, assertUnreadable, KIB, listKeys, MIB, sampleBytes } from './blob-bytes.ts';

/** The first part of the S3 driver. */
const PART = 5 * MIB;
const SIZES = {
  'no bytes': 0,
  'one byte': 1,
  'one part less a byte': PART - 1,
  'one part': PART,
  'one part and a byte': PART + 1,
  'two parts': 2 * PART,
};
/** Like the chunks of a request body: parts end in the middle of a chunk. */
const CHUNK_BYTES = 300 * KIB;

export function describeSizes(it: DefineCase): void {
  const key = createStorageKey();

  for (const [size, sizeBytes] of Object.entries(SIZES)) {
    const bytes = sampleBytes(sizeBytes);

    it(`stores a blob of ${size} without suspension`, async (store, fixture) => {
      await finish(await writeAll(store, bytes), bytes);
      await assertOnlyBlob(store, fixture, bytes);
    });

    it(`stores a blob of ${size} that is suspended midway and at its end`, async (store, fixture) => {
      let writer = await store.create(key);
      for (const cut of [Math.floor(sizeBytes / 2), sizeBytes]) {
        await appendAll(writer, bytes.subarray(writer.offset, cut), CHUNK_BYTES);
        await writer.suspend();
        await assertUnreadable(store, key);
        writer = await (await fixture.open()).resume(key, writer.state);
        assert.equal(writer.offset, cut);
      }
      await finish(writer, bytes);
      await assertOnlyBlob(store, fixture, bytes);
    });

    for (const [moment, isResumed] of [
      ['', false],
      [' after resuming', true],
    ] as const) {
      it(`leaves nothing of a blob of ${size} that is aborted${moment}`, async (store, fixture) => {
        let writer = await writeAll(store, bytes);
        if (isResumed) {
          await writer.suspend();
          writer = await store.resume(key, writer.state);
        }
        await writer.abort();
        await assertUnreadable(store, key);
        assert.deepEqual(await fixture.leftovers(), []);
      });
    }

    it(`resumes a blob of ${size} whose process died, from the bytes that were stored`, async (store, fixture) => {
      const crashed = await writeAll(store, bytes);
      const restarted = await fixture.open();
      await assertUnreadable(restarted, key);
      const resumed = await restarted.resume(key, crashed.state).catch((error: { code?: string }) => {
        // Nothing was sent yet.
        assert.equal(error.code, 'blob_missing');
        assert.ok(sizeBytes <= PART);
        return undefined;
      });
      if (resumed) {
        assert.ok(resumed.offset <= sizeBytes);
        await finish(resumed, bytes);
        await assertHolds(restarted, key, bytes);
      }
      await restarted.delete(key);
      // Closes the file that the death of a process would have closed.
      await crashed.abort();
      assert.deepEqual(await fixture.leftovers(), []);
    });
  }

  async function writeAll(store: BlobStore, bytes: Uint8Array): Promise<BlobWriter> {
    const writer = await store.create(key);
    await appendAll(writer, bytes, CHUNK_BYTES);
    return writer;
  }

  async function finish(writer: BlobWriter, whole: Uint8Array): Promise<void> {
    await appendAll(writer, whole.subarray(writer.offset), CHUNK_BYTES);
    assert.deepEqual(await writer.finish(), { sizeBytes: whole.length });
  }

  async function assertOnlyBlob(store: BlobStore, fixture: BlobStoreFixture, bytes: Uint8Array): Promise<void> {
    await assertHolds(store, key, bytes);
    assert.deepEqual(await listKeys(store), [key]);
    await store.delete(key);
    assert.deepEqual(await fixture.leftovers(), []);
  }
}
