// How the S3 driver handles a storage that refuses, breaks connections, times out or is full. Reading is tested in
// s3-read-faults.unit.test.ts.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createStorageKey, type BlobStore } from '../../src/blobs/blob-store.ts';
import { BerthError } from '../../src/errors.ts';
import { eventually } from '../support/eventually.ts';
import type { Fault } from '../support/s3-proxy.ts';
import { limitBucket } from '../support/s3.ts';
import {
  appendAll,
  assertHolds,
  assertUnreadable,
  listKeys,
  MIB,
  readBlob,
  sampleBytes,
  writeBlob,
} from './contract/blob-bytes.ts';
import { makeS3Store, makeS3StoreBehindProxy } from './s3-fixture.ts';

const BYTES = sampleBytes(12 * MIB);
/** Sent as a multipart upload of two parts. */
const TWO_PARTS = sampleBytes(5 * MIB + 100);
/** Sent with a single PutObject. */
const ONE_PART = sampleBytes(300_000);
const UNAVAILABLE = { code: 'storage_unavailable', status: 503 };

const TRANSIENT_FAULTS: Record<string, Fault> = {
  'a 500': { status: 500, name: 'InternalError' },
  'a 503': { status: 503, name: 'SlowDown' },
  'a connection that breaks before the request': { reset: 'before' },
  'a lost response': { reset: 'after' },
  'a timeout': 'silent',
};
const STEPS: Record<string, { bytes: Buffer; calls: RegExp; nth?: number }> = {
  'the creation of an upload': { bytes: TWO_PARTS, calls: /^POST .*\?uploads/ },
  'a part': { bytes: TWO_PARTS, calls: /partNumber=/, nth: 2 },
  'the completion of an upload': { bytes: TWO_PARTS, calls: /^POST .*\?uploadId=/ },
  'the PutObject of a small blob': { bytes: ONE_PART, calls: /^PUT / },
};
/** Concurrent tests: most of them wait. */
const CONCURRENCY = 6;
/** The driver's maximum, including the first attempt. */
const ATTEMPTS = 4;

describe('an S3 store', { concurrency: CONCURRENCY }, () => {
  for (const [what, fault] of Object.entries(TRANSIENT_FAULTS)) {
    for (const [step, { bytes, ...faultOptions }] of Object.entries(STEPS)) {
      test(`recovers from ${what} at ${step}`, async (t) => {
        const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
        const key = createStorageKey();
        proxy.break(fault, faultOptions);
        await writeBlob(store, key, bytes);
        await assertHolds(store, key, bytes);
        assert.deepEqual(await fixture.leftovers(), [`${fixture.testS3.root}/${key}`]);
      });
    }

    test(`recovers from ${what} in its check, and when a blob is opened or deleted`, async (t) => {
      const { store, proxy } = await makeS3StoreBehindProxy(t);
      const key = createStorageKey();
      await writeBlob(store, key, sampleBytes(10));
      for (const [calls, work] of [
        [/^PUT /, () => store.check()],
        [/^GET /, () => readBlob(store, key)],
        [/^HEAD /, () => store.stat(key)],
        [/^DELETE /, () => store.delete(key)],
      ] as const) {
        proxy.break(fault, { calls });
        await work();
      }
      assert.deepEqual(await listKeys(store), []);
    });
  }

  test('reports a lasting outage from every method, without naming keys or hosts', async (t) => {
    const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
    const key = createStorageKey();
    const calls: ((away: BlobStore) => Promise<unknown>)[] = [
      ...[sampleBytes(0), ONE_PART, TWO_PARTS].map((bytes) => (away: BlobStore) => writeBlob(away, key, bytes)),
      (away) => away.resume(key, 'state'),
      (away) => away.stat(key),
      (away) => away.read(key),
      (away) => away.send(key, undefined, async () => undefined),
      (away) => away.delete(key),
      (away) => listKeys(away),
      (away) => away.check(),
    ];
    const assertUnavailable = async (away: BlobStore) => {
      for (const call of calls) {
        const error = await call(away).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        assert.ok(error instanceof BerthError && error.cause instanceof Error, call.toString());
        assert.deepEqual({ code: error.code, status: error.status }, UNAVAILABLE, call.toString());
        for (const secret of [key, fixture.testS3.root, 'berth-test', '127.0.0.1'])
          assert.ok(!error.message.includes(secret));
      }
    };
    proxy.break({ reset: 'before' }, { calls: /./, times: Infinity });
    await assertUnavailable(store);
    proxy.break({ status: 403, name: 'AccessDenied' }, { calls: /./, times: Infinity });
    await assertUnavailable(store);
    await assertUnavailable(await fixture.openWith({ bucket: 'no-such-bucket' }));
    await assertUnavailable(
      await fixture.openWith({ keys: { accessKeyId: 'test:tester', secretAccessKey: 'wrong' } }),
    );
    await assertUnavailable(await fixture.openWith({ endpoint: 'http://127.0.0.1:1' }));
    proxy.heal();
    await store.check();
    assert.deepEqual(await fixture.leftovers(), []);
  });

  test('accepts a retry of a failed append once it is available again', async (t) => {
    const { store, proxy } = await makeS3StoreBehindProxy(t);
    const key = createStorageKey();
    const writer = await store.create(key);
    proxy.break({ status: 503, name: 'ServiceUnavailable' }, { calls: /partNumber=/, times: Infinity });
    await assert.rejects(appendAll(writer, BYTES), UNAVAILABLE);
    const { offset } = writer;
    assert.ok(offset > 0 && offset < BYTES.length);
    await assert.rejects(writer.append(offset, BYTES.subarray(offset, offset + 10)), UNAVAILABLE);
    assert.equal(writer.offset, offset);
    proxy.heal();
    // Another part may still be waiting for its earlier response.
    await eventually(() => writer.append(offset, BYTES.subarray(offset, offset + 10)));
    await appendAll(writer, BYTES.subarray(offset + 10));
    await writer.finish();
    await assertHolds(store, key, BYTES);
  });

  test('keeps bytes appended during an outage when the writer is suspended after it', async (t) => {
    const { store, proxy } = await makeS3StoreBehindProxy(t);
    const key = createStorageKey();
    const writer = await store.create(key);
    proxy.break({ reset: 'before' }, { calls: /partNumber=/, times: Infinity });
    await writer.append(0, BYTES.subarray(0, 6 * MIB));
    proxy.heal();
    await writer.suspend();
    const resumed = await store.resume(key, writer.state);
    assert.equal(resumed.offset, 6 * MIB);
    await appendAll(resumed, BYTES.subarray(6 * MIB));
    await resumed.finish();
    await assertHolds(store, key, BYTES);
  });

  for (const [what, fault] of Object.entries({
    'is refused': { status: 503, name: 'ServiceUnavailable' },
    'succeeds without a response': { reset: 'after' },
  } as Record<string, Fault>)) {
    test(`leaves nothing of an aborted blob whose completion ${what}`, async (t) => {
      const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
      const key = createStorageKey();
      for (const bytes of [BYTES, ONE_PART, sampleBytes(0)]) {
        const writer = await store.create(key);
        await appendAll(writer, bytes);
        proxy.break(fault, { calls: bytes === BYTES ? /^POST .*\?uploadId=/ : /^PUT /, times: Infinity });
        await assert.rejects(writer.finish(), UNAVAILABLE);
        await assert.rejects(writer.append(bytes.length, sampleBytes(1)), { code: 'blob_writer_closed' });
        proxy.heal();
        await writer.abort();
        await assertUnreadable(store, key);
        assert.deepEqual(await fixture.leftovers(), []);
      }
    });
  }

  const cut = { resetAfterSentBytes: 100_000 };
  for (const [what, fault] of Object.entries<Fault>({
    ...TRANSIENT_FAULTS,
    'a connection that breaks in a body': cut,
  })) {
    // Each attempt would wait for a timeout, and the result is the same as for a broken connection.
    if (fault === 'silent') continue;
    test(`recovers from ${what} at all attempts of a PutObject but the last`, async (t) => {
      const { store, proxy } = await makeS3StoreBehindProxy(t);
      const key = createStorageKey();
      proxy.break(fault, { calls: /^PUT /, times: ATTEMPTS - 1 });
      await writeBlob(store, key, ONE_PART);
      assert.equal(proxy.calls.length, ATTEMPTS);
      await assertHolds(store, key, ONE_PART);
    });

    test(`gives up a PutObject after ${what} at all attempts, and cannot resume it`, async (t) => {
      const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
      const key = createStorageKey();
      const writer = await store.create(key);
      await writer.append(0, ONE_PART);
      proxy.break(fault, { calls: /^PUT /, times: ATTEMPTS });
      await assert.rejects(writer.finish(), UNAVAILABLE);
      assert.equal(proxy.calls.length, ATTEMPTS);
      await writer.suspend();
      const isStored = typeof fault === 'object' && 'reset' in fault && fault.reset === 'after';
      await assert.rejects(store.resume(key, writer.state), { code: isStored ? 'blob_exists' : 'blob_missing' });
      await store.delete(key);
      assert.deepEqual(await fixture.leftovers(), []);
    });
  }

  test('aborts the uploads left behind by failed attempts to create one', async (t) => {
    const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
    const key = createStorageKey();
    const writer = await store.create(key);
    proxy.break({ reset: 'after' }, { calls: /\?uploads/, times: ATTEMPTS });
    await assert.rejects(writer.append(0, TWO_PARTS), UNAVAILABLE);
    assert.deepEqual([writer.offset, writer.state], [0, '']);
    proxy.break({ status: 503, name: 'ServiceUnavailable' }, { calls: /^GET .*[?&]uploads/, times: ATTEMPTS });
    await assert.rejects(writer.append(0, TWO_PARTS), UNAVAILABLE);
    assert.deepEqual([writer.offset, writer.state], [0, '']);
    await writer.append(0, TWO_PARTS);
    assert.equal((await fixture.leftovers()).filter((name) => name.startsWith('upload of')).length, 1);
    await writer.finish();
    await assertHolds(store, key, TWO_PARTS);
    assert.deepEqual(await fixture.leftovers(), [`${fixture.testS3.root}/${key}`]);
  });

  test('allows retrying a failed abort', async (t) => {
    const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
    const writer = await store.create(createStorageKey());
    await appendAll(writer, BYTES);
    proxy.break({ status: 503, name: 'ServiceUnavailable' }, { calls: /^DELETE /, times: Infinity });
    await assert.rejects(writer.abort(), UNAVAILABLE);
    proxy.heal();
    await writer.abort();
    assert.deepEqual(await fixture.leftovers(), []);
  });

  test('reports a blob deleted while it was being written as missing, if its upload was created', async (t) => {
    const fixture = await makeS3Store();
    t.after(() => fixture.remove());
    const store = await fixture.open();
    for (const bytes of [BYTES, ONE_PART, sampleBytes(0)]) {
      const key = createStorageKey();
      let writer = await store.create(key);
      await appendAll(writer, bytes);
      if (bytes !== BYTES) {
        await writer.suspend();
        writer = await store.resume(key, writer.state);
      }
      await store.delete(key);
      await assert.rejects(writer.finish(), { code: 'blob_missing' });
      await writer.abort();
    }
    assert.deepEqual(await fixture.leftovers(), []);
  });

  test('reports storage_full when its quota is exceeded, but still serves blobs and passes its check', async (t) => {
    const fixture = await makeS3Store();
    const bucket = `berth-quota-${fixture.testS3.root.slice(-8)}`;
    await fixture.testS3.s3.createBucket({ Bucket: bucket });
    const store = await fixture.openWith({ bucket });
    const key = createStorageKey();
    await writeBlob(store, key, sampleBytes(1000));
    await limitBucket(bucket, 2000);
    t.after(() => limitBucket(bucket, undefined));

    for (const bytes of [BYTES.subarray(0, 6 * MIB), ONE_PART]) {
      const writer = await store.create(createStorageKey());
      await appendAll(writer, bytes);
      await assert.rejects(writer.finish(), { code: 'storage_full', status: 507 });
      await writer.abort();
    }
    await assertHolds(store, key, sampleBytes(1000));
    assert.deepEqual(await listKeys(store), [key]);
    await store.check();
  });
});
