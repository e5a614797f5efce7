import assert from 'node:assert/strict';
import { once } from 'node:events';
import { READ_CHUNK_BYTES, createStorageKey, type ByteRange } from '../../../src/blobs/blob-store.ts';
import type { DefineCase } from './fixture.ts';
import { assertHolds, assertUnreadable, listKeys, MIB, readBlob, sampleBytes, writeBlob } from './blob-bytes.ts';

const SIZE = 3 * MIB + 100;

const RANGES: Record<string, ByteRange> = {
  'the first byte': { start: 0, end: 0 },
  'the last byte': { start: SIZE - 1, end: SIZE - 1 },
  'the whole blob': { start: 0, end: SIZE - 1 },
  'bytes in the middle': { start: 1000, end: 4321 },
  'bytes across the boundary of two chunks': { start: MIB - 1, end: MIB },
  'exactly one chunk': { start: MIB, end: 2 * MIB - 1 },
  'bytes across several chunks': { start: 5, end: SIZE - 5 },
  'bytes up to an end beyond the last byte': { start: SIZE - 10, end: SIZE + 10 },
};

const INVALID_RANGES: Record<string, ByteRange> = {
  'starts right after the last byte': { start: SIZE, end: SIZE },
  'starts far after the last byte': { start: SIZE + 5 * MIB, end: SIZE + 6 * MIB },
  'ends before its start': { start: 10, end: 9 },
  'starts below 0': { start: -1, end: 5 },
  'is not made of integers': { start: 0.5, end: 5 },
};

export function describeReading(it: DefineCase): void {
  const key = createStorageKey();

  for (const [what, range] of Object.entries(RANGES)) {
    it(`reads ${what}`, async (store) => {
      await writeBlob(store, key, sampleBytes(SIZE));
      assert.ok((await readBlob(store, key, range)).equals(sampleBytes(SIZE).subarray(range.start, range.end + 1)));
    });

    it(`sends ${what}`, async (store) => {
      await writeBlob(store, key, sampleBytes(SIZE));
      const chunks: Buffer[] = [];
      await store.send(key, range, async (chunk) => {
        chunks.push(Buffer.from(chunk));
      });
      assert.ok(Buffer.concat(chunks).equals(sampleBytes(SIZE).subarray(range.start, range.end + 1)));
    });
  }

  for (const [what, range] of Object.entries(INVALID_RANGES)) {
    it(`rejects a range that ${what}`, async (store) => {
      await writeBlob(store, key, sampleBytes(SIZE));
      await assert.rejects(store.read(key, range), { code: 'blob_range_invalid', status: 416 });
      await assert.rejects(
        store.send(key, range, async () => assert.fail('nothing to write')),
        { code: 'blob_range_invalid' },
      );
    });
  }

  it('sends an empty blob without a chunk', async (store) => {
    await writeBlob(store, key, sampleBytes(0));
    await store.send(key, undefined, () => assert.fail('there is nothing to write'));
  });

  it('sends chunks of at most 1 MiB, one at a time', async (store) => {
    await writeBlob(store, key, sampleBytes(SIZE));
    let inProgress = 0;
    await store.send(key, undefined, async (chunk) => {
      assert.ok(chunk.length > 0 && chunk.length <= READ_CHUNK_BYTES);
      assert.equal(++inProgress, 1);
      await new Promise((resolve) => setImmediate(resolve));
      inProgress--;
    });
  });

  it('sends nothing of a missing or unfinished blob', async (store) => {
    const write = () => assert.fail('there is nothing to write');
    await assert.rejects(store.send(key, undefined, write), { code: 'blob_missing' });
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(10));
    await assert.rejects(store.send(key, undefined, write), { code: 'blob_missing' });
    await writer.abort();
  });

  it('stops sending when the write of a chunk fails', async (store) => {
    await writeBlob(store, key, sampleBytes(SIZE));
    let chunks = 0;
    await assert.rejects(
      store.send(key, undefined, () => Promise.reject(new Error(`gone after ${++chunks}`))),
      { message: 'gone after 1' },
    );
    assert.equal(chunks, 1);
  });

  it('rejects every range of an empty blob', async (store) => {
    await writeBlob(store, key, sampleBytes(0));
    await assert.rejects(store.read(key, { start: 0, end: 0 }), { code: 'blob_range_invalid' });
  });

  it('yields no chunk that is empty or longer than 1 MiB', async (store) => {
    await writeBlob(store, key, sampleBytes(SIZE));
    for await (const chunk of (await store.read(key)) as AsyncIterable<Buffer>) {
      assert.ok(chunk.length > 0 && chunk.length <= READ_CHUNK_BYTES);
    }
  });

  it('serves concurrent readers of one blob', async (store) => {
    await writeBlob(store, key, sampleBytes(SIZE));
    await Promise.all(Array.from({ length: 5 }, () => assertHolds(store, key, sampleBytes(SIZE))));
  });

  it('gives each reader its own memory', async (store) => {
    await writeBlob(store, key, sampleBytes(SIZE));
    (await readBlob(store, key)).fill(0);
    await assertHolds(store, key, sampleBytes(SIZE));
  });

  it('does not serve a blob before it is finished', async (store) => {
    const writer = await store.create(key);
    await assertUnreadable(store, key);
    await writer.append(0, sampleBytes(2 * MIB));
    await assertUnreadable(store, key);
    await writer.finish();
    await assertHolds(store, key, sampleBytes(2 * MIB));
  });

  it('reports a missing blob before the first byte, with or without a range', async (store) => {
    await assert.rejects(store.stat(key), { code: 'blob_missing', status: 500 });
    await assert.rejects(store.read(key), { code: 'blob_missing', status: 500 });
    await assert.rejects(store.read(key, { start: 0, end: 0 }), { code: 'blob_missing', status: 500 });
  });

  it('is not affected by a reader that stops early', async (store, fixture) => {
    await writeBlob(store, key, sampleBytes(SIZE));
    const stream = await store.read(key);
    await once(stream, 'readable');
    stream.destroy();
    await once(stream, 'close');
    await assertHolds(store, key, sampleBytes(SIZE));
    await store.delete(key);
    assert.deepEqual(await fixture.leftovers(), []);
  });

  it('is not affected by a reader that never starts', async (store) => {
    await writeBlob(store, key, sampleBytes(SIZE));
    const stream = await store.read(key);
    stream.destroy();
    await once(stream, 'close');
    await store.delete(key);
    assert.deepEqual(await listKeys(store), []);
  });
}
