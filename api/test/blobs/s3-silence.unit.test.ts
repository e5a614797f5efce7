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

/** Longer than any test. */
const LONG = { sendIdleMs: 600_000, idleMs: 600_000 };

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

  for (const name of ['storing a larger blob', 'sending a part', 'completing an upload'] as const)
    test(`${name} is given up as soon as the server answers nothing else either`, async (t) => {
      const { store, proxy } = await makeS3StoreBehindProxy(t, {
        timeouts: { ...LONG, firstByteMs: 200, watchMs: 50 },
      });
      const { work, silent = /./ } = WORKS[name] ?? assert.fail();
      let isSilent = false;
      // From the first request of this kind on, nothing is answered.
      proxy.break('silent', { calls: { test: (call) => (isSilent ||= silent.test(call)) }, times: Infinity });
      await assert.rejects(work(store, createStorageKey()), { code: 'storage_unavailable' });
      assert.ok(proxy.calls.filter((call) => call.startsWith('HEAD ')).length >= 2, proxy.calls.join('\n'));
      proxy.heal();
      await work(store, createStorageKey());
    });

  test('a server that is slow with a long request, and answers others, is waited for', async (t) => {
    const { store, proxy } = await makeS3StoreBehindProxy(t, {
      timeouts: { firstByteMs: 1000, sendIdleMs: 2000, idleMs: 2000, watchMs: 50 },
    });
    proxy.break('silent', { calls: /^POST .*\?uploadId=/, times: 1 });
    await write(TWO_PARTS)(store, '');
    const probes = proxy.calls.filter((call) => call.startsWith('HEAD ')).length;
    assert.ok(probes > 3, `${probes}`);
  });

  test('an upload that met it is suspended without trying again', async (t) => {
    const { store, proxy } = await makeS3StoreBehindProxy(t, { timeouts: { ...LONG, firstByteMs: 200, watchMs: 50 } });
    const writer = await store.create(createStorageKey());
    await writer.append(0, TWO_PARTS);
    proxy.break('silent', { calls: /./, times: Infinity });
    const appendAll = async () => {
      for (;;) await writer.append(writer.offset, TWO_PARTS);
    };
    await assert.rejects(appendAll(), { code: 'storage_unavailable' });
    const { length } = proxy.calls;
    await assert.rejects(writer.suspend(), { code: 'storage_unavailable' });
    assert.equal(proxy.calls.length, length);
  });

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
