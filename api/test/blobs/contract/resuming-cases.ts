import assert from 'node:assert/strict';
import { createStorageKey, type BlobWriter } from '../../../src/blobs/blob-store.ts';
import { eventually } from '../../support/eventually.ts';
import type { DefineCase } from './fixture.ts';
import { appendAll, assertHolds, assertUnreadable, KIB, listKeys, MIB, sampleBytes, writeBlob } from './blob-bytes.ts';

const LONG = 12 * MIB + 3;

export function describeResuming(it: DefineCase): void {
  const key = createStorageKey();

  for (const suspendedAt of [0, 1, 70 * KIB, 6 * MIB + 1, LONG]) {
    it(`resumes a blob suspended at byte ${suspendedAt}, and finishes with identical bytes`, async (store) => {
      const first = await store.create(key);
      await appendAll(first, sampleBytes(LONG).subarray(0, suspendedAt));
      await first.suspend();
      const second = await store.resume(key, first.state);
      assert.equal(second.key, key);
      assert.equal(second.offset, suspendedAt);
      await finishWith(second, sampleBytes(LONG));
      await assertHolds(store, key, sampleBytes(LONG));
    });
  }

  it('resumes after a restart', async (store, fixture) => {
    const first = await store.create(key);
    await appendAll(first, sampleBytes(LONG).subarray(0, 7 * MIB + 9));
    await first.suspend();
    const restarted = await fixture.open();
    const second = await restarted.resume(key, first.state);
    assert.equal(second.offset, 7 * MIB + 9);
    await finishWith(second, sampleBytes(LONG));
    await assertHolds(restarted, key, sampleBytes(LONG));
  });

  it('keeps a correct prefix of a blob whose writer was not suspended', async (store, fixture) => {
    const crashed = await store.create(key);
    await appendAll(crashed, sampleBytes(LONG).subarray(0, 11 * MIB + 5), 100 * KIB);
    const restarted = await fixture.open();
    const second = await eventually(async () => {
      const resumed = await restarted.resume(key, crashed.state);
      // S3: the first part is still being sent.
      if (resumed.offset === 0) await resumed.suspend();
      assert.ok(resumed.offset > 0);
      return resumed;
    });
    assert.ok(second.offset <= crashed.offset);
    await finishWith(second, sampleBytes(LONG));
    await crashed.abort();
    await assertHolds(restarted, key, sampleBytes(LONG));
  });

  it('starts with an empty state, and keeps the state of the first suspension', async (store) => {
    const first = await store.create(key);
    assert.equal(first.state, '');
    await first.suspend();
    const { state } = first;
    assert.ok(state.length <= 1024);
    for (const byte of [0, 1, 2, 3]) {
      const writer = await store.resume(key, state);
      assert.equal(writer.offset, byte);
      await writer.append(byte, sampleBytes(4).subarray(byte, byte + 1));
      assert.equal(writer.state, state);
      await writer.suspend();
    }
    await (await store.resume(key, state)).finish();
    await assertHolds(store, key, sampleBytes(4));
  });

  it('rejects an append at a wrong offset after resuming', async (store) => {
    const first = await store.create(key);
    await first.append(0, sampleBytes(10));
    await first.suspend();
    const second = await store.resume(key, first.state);
    await assert.rejects(second.append(0, sampleBytes(10)), { code: 'blob_offset_mismatch' });
    await second.finish();
    await assertHolds(store, key, sampleBytes(10));
  });

  it('does not serve a suspended blob', async (store) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(10));
    await writer.suspend();
    await assertUnreadable(store, key);
  });

  it('refuses to append to or finish a suspended blob', async (store) => {
    const writer = await store.create(key);
    await writer.suspend();
    await assert.rejects(writer.append(0, sampleBytes(1)), { code: 'blob_writer_closed' });
    await assert.rejects(writer.finish(), { code: 'blob_writer_closed' });
  });

  it('ignores a second suspension, and an abort after the first', async (store) => {
    const first = await store.create(key);
    await first.append(0, sampleBytes(10));
    await first.suspend();
    await first.suspend();
    await first.abort();
    assert.equal(await resumedOffset(store.resume(key, first.state)), 10);
  });

  it('ignores a suspension after the blob is finished', async (store) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(10));
    await writer.finish();
    await writer.suspend();
    await assertHolds(store, key, sampleBytes(10));
  });

  it('leaves nothing of an aborted resumed blob', async (store, fixture) => {
    const first = await store.create(key);
    await appendAll(first, sampleBytes(6 * MIB));
    await first.suspend();
    await (await store.resume(key, first.state)).abort();
    assert.deepEqual(await listKeys(store), []);
    assert.deepEqual(await fixture.leftovers(), []);
  });

  it('cannot resume a blob that was never created', async (store) => {
    await assert.rejects(store.resume(key, ''), { code: 'blob_missing' });
  });

  it('cannot resume an aborted blob', async (store) => {
    const writer = await store.create(key);
    await writer.abort();
    await assert.rejects(store.resume(key, writer.state), { code: 'blob_missing' });
  });

  it('cannot resume a blob deleted while suspended', async (store) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(10));
    await writer.suspend();
    await store.delete(key);
    await assert.rejects(store.resume(key, writer.state), { code: 'blob_missing' });
  });

  it('rejects resuming a finished blob, because it exists', async (store) => {
    const writer = await store.create(key);
    await writer.finish();
    await assert.rejects(store.resume(key, writer.state), { code: 'blob_exists' });
  });

  it('keeps a suspended and a finished blob separate', async (store) => {
    const first = await store.create(key);
    await first.append(0, sampleBytes(10));
    await first.suspend();
    const other = createStorageKey();
    await writeBlob(store, other, sampleBytes(20));
    await (await store.resume(key, first.state)).finish();
    await assertHolds(store, key, sampleBytes(10));
    await assertHolds(store, other, sampleBytes(20));
  });
}

async function finishWith(writer: BlobWriter, whole: Uint8Array): Promise<void> {
  await appendAll(writer, whole.subarray(writer.offset));
  assert.deepEqual(await writer.finish(), { sizeBytes: whole.length });
}

async function resumedOffset(resumed: Promise<BlobWriter>): Promise<number> {
  const writer = await resumed;
  await writer.suspend();
  return writer.offset;
}
