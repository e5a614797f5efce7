// An S3 server that accepts connections and says nothing: each request is sent twice, then it fails.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createStorageKey, type BlobStore } from '../../src/blobs/blob-store.ts';
import { listKeys, MIB, readBlob, sampleBytes, writeBlob } from './contract/blob-bytes.ts';
import { makeS3StoreBehindProxy } from './s3-fixture.ts';

const SMALL = sampleBytes(3_000);
/** Limited by silence. */
const LARGE = sampleBytes(MIB);
const TWO_PARTS = sampleBytes(5 * MIB + 100);

type Work = (store: BlobStore, key: string) => Promise<unknown>;
const write =
  (bytes: Buffer): Work =>
  (store) =>
    writeBlob(store, createStorageKey(), bytes);

/** Each makes one kind of request. */
const WORKS: Record<string, { work: Work; silent?: RegExp }> = {
  'opening a blob': { work: (store, key) => readBlob(store, key) },
  'the size of a blob': { work: (store, key) => store.stat(key) },
  'deleting a finished blob': { work: (store, key) => store.delete(key, { isFinished: true }) },
  'listing': { work: (store) => listKeys(store) },
  'storing a small blob': { work: write(SMALL) },
  'storing a larger blob': { work: write(LARGE) },
  'beginning a multipart upload': { work: write(TWO_PARTS) },
  'sending a part': { work: write(TWO_PARTS), silent: /partNumber=1/ },
  'completing an upload': { work: write(TWO_PARTS), silent: /^POST .*\?uploadId=/ },
};

describe('a silent S3 server', { concurrency: 5 }, () => {
  for (const [name, { work, silent = /./ }] of Object.entries(WORKS)) {
    test(`${name} is tried twice, and works when the server answers again`, async (t) => {
      const { store, proxy } = await makeS3StoreBehindProxy(t);
      const key = createStorageKey();
      await writeBlob(store, key, SMALL);
      proxy.calls.length = 0;
      proxy.break('silent', { calls: silent, times: Infinity });
      await assert.rejects(work(store, key), { code: 'storage_unavailable', headers: { 'retry-after': '5' } });
      const calls = proxy.calls.filter((call) => silent.test(call));
      assert.deepEqual(calls, [calls[0], calls[0]]);
      proxy.heal();
      await work(store, key);
    });
  }

  test('the abort of a blob that it did not take is given up soon', async (t) => {
    const { store, proxy } = await makeS3StoreBehindProxy(t, { timeouts: { firstByteMs: 200 } });
    const writer = await store.create(createStorageKey());
    await writer.append(0, SMALL);
    proxy.calls.length = 0;
    proxy.break('silent', { calls: /./, times: Infinity });
    await assert.rejects(writer.finish(), { code: 'storage_unavailable' });
    await assert.rejects(writer.abort(), { code: 'storage_unavailable' });
    proxy.heal();
    await writer.abort();
  });
});
