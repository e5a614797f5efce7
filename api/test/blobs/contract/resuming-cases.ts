import assert from 'node:assert/strict';
import { createStorageKey, type BlobWriter } from '../../../src/blobs/blob-store.ts';
import { eventually } from '../../support/eventually.ts';
import type { DefineCase } from './fixture.ts';
import { appendAll, assertHolds, assertUnreadable, KIB, listKeys, MIB, sampleBytes, writeBlob } from './blob-bytes.ts';

const LONG = 12 * MIB + 3;

export function describeResuming(it: DefineCase): void {
  const key = createStorageKey();

  for (const cut of [0, 1, 70 * KIB, 6 * MIB + 1, LONG]) {
    it(`resumes at byte ${cut} where it was suspended, and finishes with identical bytes`, async (store) => {
      const first = await store.create(key);
      await appendAll(first, sampleBytes(LONG).subarray(0, cut));
      await first.suspend();
      const second = await store.resume(key, first.state);
      assert.equal(second.key, key);
      assert.equal(second.offset, cut);
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

  it('keeps a true beginning of a blob whose writer was not suspended', async (store, fixture) => {
    const crashed = await store.create(key);
    await appendAll(crashed, sampleBytes(LONG).subarray(0, 11 * MIB + 5), 100 * KIB);
    const restarted = await fixture.open();
    const second = await eventually(async () => {
      const resumed = await restarted.resume(key, crashed.state);
      // S3: the first part is still on its way.
      if (resumed.offset === 0) await resumed.suspend();
      assert.ok(resumed.offset > 0);
      return resumed;
    });
    assert.ok(second.offset <= crashed.offset);
    await finishWith(second, sampleBytes(LONG));
    await crashed.abort();
    await assertHolds(restarted, key, sampleBytes(LONG));
  });

  it('begins with an empty state, and keeps that of the first suspension through all others', async (store) => {
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

  it('refuses an append at a wrong offset after it was resumed', async (store) => {
    const first = await store.create(key);
    await first.append(0, sampleBytes(10));
    await first.suspend();
    const second = await store.resume(key, first.state);
    await assert.rejects(second.append(0, sampleBytes(10)), { code: 'blob_offset_mismatch' });
    await second.finish();
    await assertHolds(store, key, sampleBytes(10));
  });

  it('does not let a suspended blob be read', async (store) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(10));
    await writer.suspend();
    await assertUnreadable(store, key);
  });

  it('refuses to append or finish while it is suspended', async (store) => {
    const writer = await store.create(key);
    await writer.suspend();
    await assert.rejects(writer.append(0, sampleBytes(1)), { code: 'blob_writer_closed' });
    await assert.rejects(writer.finish(), { code: 'blob_writer_closed' });
  });

  it('takes a second suspension, and an abort after the first, as nothing', async (store) => {
    const first = await store.create(key);
    await first.append(0, sampleBytes(10));
    await first.suspend();
    await first.suspend();
    await first.abort();
    assert.equal(await resumedOffset(store.resume(key, first.state)), 10);
  });

  it('takes a suspension after the finish as nothing', async (store) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(10));
    await writer.finish();
    await writer.suspend();
    await assertHolds(store, key, sampleBytes(10));
  });

  it('leaves nothing of a resumed blob that is aborted', async (store, fixture) => {
    const first = await store.create(key);
    await appendAll(first, sampleBytes(6 * MIB));
    await first.suspend();
    await (await store.resume(key, first.state)).abort();
    assert.deepEqual(await listKeys(store), []);
    assert.deepEqual(await fixture.leftovers(), []);
  });

  it('cannot resume what was never created', async (store) => {
    await assert.rejects(store.resume(key, ''), { code: 'blob_missing' });
  });

  it('cannot resume what was aborted', async (store) => {
    const writer = await store.create(key);
    await writer.abort();
    await assert.rejects(store.resume(key, writer.state), { code: 'blob_missing' });
  });

  it('cannot resume what was deleted while it was suspended', async (store) => {
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(10));
    await writer.suspend();
    await store.delete(key);
    await assert.rejects(store.resume(key, writer.state), { code: 'blob_missing' });
  });

  it('says of a finished blob that it exists when it is resumed', async (store) => {
    const writer = await store.create(key);
    await writer.finish();
    await assert.rejects(store.resume(key, writer.state), { code: 'blob_exists' });
  });

  it('keeps a suspended blob and a finished one apart', async (store) => {
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
