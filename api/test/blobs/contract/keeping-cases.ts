import assert from 'node:assert/strict';
import { createStorageKey, type BlobStore, type StoredBlob } from '../../../src/blobs/blob-store.ts';
import type { DefineCase } from './fixture.ts';
import { assertHolds, assertUnreadable, listBlobs, listKeys, MIB, sampleBytes, writeBlob } from './blob-bytes.ts';

/** Tolerated difference between the clocks of this machine and of the storage. */
const DAY_MS = 24 * 3600 * 1000;

export function describeKeeping(it: DefineCase): void {
  const key = createStorageKey();

  it('lists nothing when empty', async (store) => {
    assert.deepEqual(await listKeys(store), []);
  });

  it('lists a finished blob with its size and time', async (store) => {
    await writeBlob(store, key, sampleBytes(1234));
    const [blob, ...others] = await listBlobs(store);
    assert.deepEqual(others, []);
    assert.deepEqual(
      { ...blob, modifiedAt: undefined },
      { key, sizeBytes: 1234, finished: true, modifiedAt: undefined },
    );
    assert.ok(Math.abs(blob!.modifiedAt.getTime() - Date.now()) < DAY_MS);
  });

  it('lists a suspended blob as unfinished', async (store) => {
    await suspendBlob(store, key, 6 * MIB);
    assertUnfinished(await listBlobs(store), 6 * MIB);
  });

  it('lists a blob that is being written as unfinished', async (store) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(6 * MIB));
    assertUnfinished(await listBlobs(store), 6 * MIB);
    await writer.abort();
  });

  it('lists each of many blobs once', async (store) => {
    const keys = Array.from({ length: 40 }, () => createStorageKey()).sort();
    await Promise.all(
      keys.map((each, n) => (n % 2 ? writeBlob(store, each, sampleBytes(n)) : suspendBlob(store, each, n))),
    );
    const blobs = await listBlobs(store);
    assert.deepEqual(
      blobs.map((blob) => [blob.key, blob.finished]),
      keys.map((each, n) => [each, n % 2 === 1]),
    );
  });

  it('lists and reads blobs of an earlier process', async (store, fixture) => {
    await writeBlob(store, key, sampleBytes(3));
    assert.deepEqual(await listKeys(await fixture.open()), [key]);
    await assertHolds(await fixture.open(), key, sampleBytes(3));
  });

  it('allows deleting blobs while listing', async (store, fixture) => {
    await Promise.all(Array.from({ length: 10 }, () => writeBlob(store, createStorageKey(), sampleBytes(3))));
    for await (const blob of store.list()) await store.delete(blob.key);
    assert.deepEqual(await fixture.leftovers(), []);
  });

  for (const isFinished of [false, true]) {
    const blob = isFinished ? 'blob known to be finished' : 'blob';
    it(`leaves nothing of a deleted ${blob}`, async (store, fixture) => {
      await writeBlob(store, key, sampleBytes(3));
      await store.delete(key, { isFinished });
      await assertUnreadable(store, key);
      assert.deepEqual(await listKeys(store), []);
      assert.deepEqual(await fixture.leftovers(), []);
    });
  }

  it('leaves nothing of a deleted suspended blob', async (store, fixture) => {
    await suspendBlob(store, key, 6 * MIB);
    await store.delete(key);
    assert.deepEqual(await listKeys(store), []);
    assert.deepEqual(await fixture.leftovers(), []);
  });

  it('deletes no other blob', async (store) => {
    const sibling = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0');
    await writeBlob(store, key, sampleBytes(3));
    await writeBlob(store, sibling, sampleBytes(4));
    await store.delete(key);
    await assertHolds(store, sibling, sampleBytes(4));
  });

  it('ignores the deletion of a blob that does not exist', async (store) => {
    await writeBlob(store, key, sampleBytes(3));
    await store.delete(key);
    await store.delete(key);
    await store.delete(createStorageKey());
    assert.deepEqual(await listKeys(store), []);
  });

  it('stores new bytes under a deleted key', async (store) => {
    await writeBlob(store, key, sampleBytes(3, 'old'));
    await store.delete(key);
    await writeBlob(store, key, sampleBytes(5, 'new'));
    await assertHolds(store, key, sampleBytes(5, 'new'));
  });

  it('passes repeated and concurrent checks, which leave nothing behind', async (store, fixture) => {
    await store.check();
    await Promise.all([store.check(), store.check()]);
    assert.deepEqual(await fixture.leftovers(), []);
  });
}

async function suspendBlob(store: BlobStore, key: string, sizeBytes: number): Promise<void> {
  const writer = await store.create(key);
  await writer.append(0, sampleBytes(sizeBytes));
  await writer.suspend();
}

function assertUnfinished(blobs: StoredBlob[], maxBytes: number): void {
  assert.deepEqual(
    blobs.map(({ finished }) => finished),
    [false],
  );
  assert.ok(blobs[0]!.sizeBytes <= maxBytes);
  assert.ok(Math.abs(blobs[0]!.modifiedAt.getTime() - Date.now()) < DAY_MS);
}
