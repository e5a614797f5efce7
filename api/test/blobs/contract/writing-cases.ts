import assert from 'node:assert/strict';
import { createStorageKey } from '../../../src/blobs/blob-store.ts';
import type { DefineCase } from './fixture.ts';
import { appendAll, assertHolds, assertUnreadable, KIB, MIB, sampleBytes, writeBlob } from './blob-bytes.ts';

/** Longer than two of S3's smallest parts (5 MiB), and no multiple of anything. */
const LONG = 11 * MIB + 7;

export function describeWriting(it: DefineCase): void {
  const key = createStorageKey();

  it('stores a long blob written as one chunk', async (store) => {
    await writeBlob(store, key, sampleBytes(LONG), LONG);
    await assertHolds(store, key, sampleBytes(LONG));
  });

  it('stores a long blob written in chunks of a request body', async (store) => {
    await writeBlob(store, key, sampleBytes(LONG), 64 * KIB);
    await assertHolds(store, key, sampleBytes(LONG));
  });

  it('preserves the order of chunks of any size', async (store) => {
    const bytes = sampleBytes(LONG);
    const writer = await store.create(key);
    const sizes = [1, 100, 256 * KIB, 3, MIB, 64 * KIB, 256 * KIB - 1, 2, 256 * KIB + 1, 6 * MIB, 17];
    for (const size of sizes) await writer.append(writer.offset, bytes.subarray(writer.offset, writer.offset + size));
    await appendAll(writer, bytes.subarray(writer.offset));
    await writer.finish();
    await assertHolds(store, key, bytes);
  });

  it('ignores empty chunks', async (store) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(0));
    assert.equal(writer.offset, 0);
    await writer.append(0, sampleBytes(5));
    await writer.append(5, sampleBytes(0));
    await writer.finish();
    await assertHolds(store, key, sampleBytes(5));
  });

  it('counts the accepted bytes', async (store) => {
    const writer = await store.create(key);
    assert.equal(writer.key, key);
    assert.equal(writer.offset, 0);
    await writer.append(0, sampleBytes(10));
    assert.equal(writer.offset, 10);
    await writer.append(10, sampleBytes(2 * MIB));
    assert.equal(writer.offset, 2 * MIB + 10);
    assert.deepEqual(await writer.finish(), { sizeBytes: 2 * MIB + 10 });
  });

  it('lets the caller reuse the memory of a chunk', async (store) => {
    const bytes = sampleBytes(3 * MIB);
    const memory = Buffer.alloc(100 * KIB);
    const writer = await store.create(key);
    while (writer.offset < bytes.length) {
      const copiedBytes = bytes.copy(memory, 0, writer.offset);
      await writer.append(writer.offset, memory.subarray(0, copiedBytes));
      memory.fill(0);
    }
    await writer.finish();
    await assertHolds(store, key, bytes);
  });

  it('writes only the part of the memory that the chunk covers', async (store) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(MIB).subarray(1000, 2000));
    await writer.finish();
    await assertHolds(store, key, sampleBytes(MIB).subarray(1000, 2000));
  });

  it('serialises appends that were not awaited', async (store) => {
    const bytes = sampleBytes(4 * MIB);
    const writer = await store.create(key);
    await Promise.all([0, 1, 2, 3].map((n) => writer.append(n * MIB, bytes.subarray(n * MIB, (n + 1) * MIB))));
    await writer.finish();
    await assertHolds(store, key, bytes);
  });

  for (const [wrong, offset] of [
    ['too low', 9],
    ['too high', 11],
  ] as const) {
    it(`rejects an append at an offset that is ${wrong}, and continues at the right one`, async (store) => {
      const writer = await store.create(key);
      await writer.append(0, sampleBytes(20).subarray(0, 10));
      await assert.rejects(writer.append(offset, sampleBytes(5)), { code: 'blob_offset_mismatch', status: 409 });
      assert.equal(writer.offset, 10);
      await writer.append(10, sampleBytes(20).subarray(10));
      await writer.finish();
      await assertHolds(store, key, sampleBytes(20));
    });
  }

  it('refuses to append to a finished blob', async (store) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(3));
    await writer.finish();
    await assert.rejects(writer.append(3, sampleBytes(3)), { code: 'blob_writer_closed', status: 409 });
    await assertHolds(store, key, sampleBytes(3));
  });

  it('refuses to finish twice', async (store) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(3));
    await writer.finish();
    await assert.rejects(writer.finish(), { code: 'blob_writer_closed' });
    await assertHolds(store, key, sampleBytes(3));
  });

  it('refuses to append or finish after an abort', async (store) => {
    const writer = await store.create(key);
    await writer.abort();
    await assert.rejects(writer.append(0, sampleBytes(3)), { code: 'blob_writer_closed' });
    await assert.rejects(writer.finish(), { code: 'blob_writer_closed' });
    await assertUnreadable(store, key);
  });

  it('leaves nothing when aborted during an append', async (store, fixture) => {
    const writer = await store.create(key);
    const append = writer.append(0, sampleBytes(LONG));
    await writer.abort();
    await Promise.allSettled([append]);
    assert.deepEqual(await fixture.leftovers(), []);
  });

  it('allows aborting twice', async (store, fixture) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(3));
    await Promise.all([writer.abort(), writer.abort()]);
    await writer.abort();
    assert.deepEqual(await fixture.leftovers(), []);
  });

  it('keeps a finished blob when its writer is aborted', async (store) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(3));
    await writer.finish();
    await writer.abort();
    await assertHolds(store, key, sampleBytes(3));
  });

  it('releases the key on abort', async (store) => {
    await (await store.create(key)).abort();
    await writeBlob(store, key, sampleBytes(3));
    await assertHolds(store, key, sampleBytes(3));
  });

  it('keeps twenty concurrently written blobs separate', async (store) => {
    const blobs = Array.from({ length: 20 }, (_, n) => ({
      key: createStorageKey(),
      bytes: sampleBytes(MIB + n * 10_007, `blob ${n}`),
    }));
    await Promise.all(blobs.map((blob) => writeBlob(store, blob.key, blob.bytes, 100 * KIB)));
    for (const blob of blobs) await assertHolds(store, blob.key, blob.bytes);
  });
}
