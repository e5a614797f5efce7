// How the S3 driver reads when connections break, time out or are abandoned.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { createStorageKey } from '../../src/blobs/blob-store.ts';
import { eventually } from '../support/eventually.ts';
import { MIB, readBlob, sampleBytes, writeBlob } from './contract/blob-bytes.ts';
import { makeS3StoreBehindProxy } from './s3-fixture.ts';

const BYTES = sampleBytes(12 * MIB);
const UNAVAILABLE = { code: 'storage_unavailable', status: 503 };
/** Concurrent tests: most of them wait. */
const CONCURRENCY = 5;

describe('reading from an S3 store', { concurrency: CONCURRENCY }, () => {
  for (const [what, fault] of Object.entries({
    'breaks': { cutAfterBytes: 2 * MIB + 5 },
    'times out': { silentAfterBytes: MIB + 7 },
  })) {
    test(`continues where it stopped when a connection ${what} in the middle of a blob`, async (t) => {
      const { store, proxy } = await makeS3StoreBehindProxy(t);
      const key = createStorageKey();
      await writeBlob(store, key, BYTES);
      proxy.break(fault, { calls: /^GET /, times: 2 });
      assert.ok((await readBlob(store, key)).equals(BYTES));
      proxy.break(fault, { calls: /^GET /, times: 2 });
      const chunks: Buffer[] = [];
      await store.send(key, { start: 9, end: BYTES.length - 9 }, async (chunk) => {
        chunks.push(Buffer.from(chunk));
      });
      assert.ok(Buffer.concat(chunks).equals(BYTES.subarray(9, -8)));
    });
  }

  test('fails when no further bytes arrive', async (t) => {
    const { store, proxy } = await makeS3StoreBehindProxy(t);
    const key = createStorageKey();
    await writeBlob(store, key, BYTES);
    for (const read of [() => readBlob(store, key), () => store.send(key, undefined, async () => undefined)]) {
      proxy.break({ cutAfterBytes: 0 }, { calls: /^GET /, times: Infinity });
      await assert.rejects(read(), UNAVAILABLE);
    }
    proxy.heal();
    assert.ok((await readBlob(store, key)).equals(BYTES));
  });

  test('releases the connection when a reader stops early', async (t) => {
    const { store, proxy } = await makeS3StoreBehindProxy(t);
    const key = createStorageKey();
    await writeBlob(store, key, BYTES);
    const stream = await store.read(key);
    await once(stream, 'readable');
    assert.equal(proxy.pendingCalls(), 1);
    stream.destroy();
    await eventually(async () => {
      assert.equal(proxy.pendingCalls(), 0);
    });
    await assert.rejects(
      store.send(key, undefined, () => Promise.reject(new Error('gone'))),
      { message: 'gone' },
    );
    await eventually(async () => {
      assert.equal(proxy.pendingCalls(), 0);
    });
  });
});
