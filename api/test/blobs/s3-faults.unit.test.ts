// What the S3 driver makes of a storage that refuses, breaks off, falls silent or is full.

import assert from 'node:assert/strict';
import { once } from 'node:events';
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
/** Two parts. */
const SHORT = sampleBytes(5 * MIB + 100);
/** Less than one: a single PutObject. */
const SMALL = sampleBytes(300_000);
const AWAY = { code: 'storage_unavailable', status: 503 };

const PASSING: Record<string, Fault> = {
  'a 500': { status: 500, name: 'InternalError' },
  'a 503': { status: 503, name: 'SlowDown' },
  'a connection that breaks before': { reset: 'before' },
  'an answer that is lost': { reset: 'after' },
  'silence': 'silent',
};
const STEPS: Record<string, { bytes: Buffer; calls: RegExp; nth?: number }> = {
  'the start of an upload': { bytes: SHORT, calls: /^POST .*\?uploads/ },
  'a part': { bytes: SHORT, calls: /partNumber=/, nth: 2 },
  'the end of an upload': { bytes: SHORT, calls: /^POST .*\?uploadId=/ },
  'the PutObject of a small blob': { bytes: SMALL, calls: /^PUT / },
};
/** Tests at a time: most of them wait. */
const SIMULTANEOUS = 6;
/** The first try included, as the driver's client is told. */
const ATTEMPTS = 4;

describe('an S3 store', { concurrency: SIMULTANEOUS }, () => {
  for (const [what, fault] of Object.entries(PASSING)) {
    for (const [step, { bytes, ...breaking }] of Object.entries(STEPS)) {
      test(`gets over ${what} at ${step}`, async (t) => {
        const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
        const key = createStorageKey();
        proxy.break(fault, breaking);
        await writeBlob(store, key, bytes);
        await assertHolds(store, key, bytes);
        assert.deepEqual(await fixture.leftovers(), [`${fixture.place.root}/${key}`]);
      });
    }

    test(`gets over ${what} in its check, and when a blob is opened or deleted`, async (t) => {
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

  test('says that it is away when that lasts, whatever is asked of it, and names nothing', async (t) => {
    const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
    const key = createStorageKey();
    const calls: ((it: BlobStore) => Promise<unknown>)[] = [
      ...[sampleBytes(0), SMALL, SHORT].map((bytes) => (it: BlobStore) => writeBlob(it, key, bytes)),
      (it) => it.resume(key, 'state'),
      (it) => it.stat(key),
      (it) => it.read(key),
      (it) => it.send(key, undefined, async () => undefined),
      (it) => it.delete(key),
      (it) => listKeys(it),
      (it) => it.check(),
    ];
    const assertAway = async (it: BlobStore) => {
      for (const call of calls) {
        const error = await call(it).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        assert.ok(error instanceof BerthError && error.cause instanceof Error, call.toString());
        assert.deepEqual({ code: error.code, status: error.status }, AWAY, call.toString());
        for (const secret of [key, fixture.place.root, 'berth-test', '127.0.0.1'])
          assert.ok(!error.message.includes(secret));
      }
    };
    proxy.break({ reset: 'before' }, { calls: /./, times: Infinity });
    await assertAway(store);
    proxy.break({ status: 403, name: 'AccessDenied' }, { calls: /./, times: Infinity });
    await assertAway(store);
    await assertAway(await fixture.openWith({ bucket: 'no-such-bucket' }));
    await assertAway(await fixture.openWith({ secretAccessKey: 'wrong' }));
    await assertAway(await fixture.openWith({ endpoint: 'http://127.0.0.1:1' }));
    proxy.heal();
    await store.check();
    assert.deepEqual(await fixture.leftovers(), []);
  });

  test('takes the append that failed once more when it is back', async (t) => {
    const { store, proxy } = await makeS3StoreBehindProxy(t);
    const key = createStorageKey();
    const writer = await store.create(key);
    proxy.break({ status: 503, name: 'ServiceUnavailable' }, { calls: /partNumber=/, times: Infinity });
    await assert.rejects(appendAll(writer, BYTES), AWAY);
    const { offset } = writer;
    assert.ok(offset > 0 && offset < BYTES.length);
    await assert.rejects(writer.append(offset, BYTES.subarray(offset, offset + 10)), AWAY);
    assert.equal(writer.offset, offset);
    proxy.heal();
    // Another part may still be waiting for the answer that it got before.
    await eventually(() => writer.append(offset, BYTES.subarray(offset, offset + 10)));
    await appendAll(writer, BYTES.subarray(offset + 10));
    await writer.finish();
    await assertHolds(store, key, BYTES);
  });

  test('keeps what was appended while it was away, when it is suspended and back', async (t) => {
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
    'is never answered although it was done': { reset: 'after' },
  } as Record<string, Fault>)) {
    test(`shows nothing of a blob whose end ${what}, once it is aborted`, async (t) => {
      const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
      const key = createStorageKey();
      for (const bytes of [BYTES, SMALL, sampleBytes(0)]) {
        const writer = await store.create(key);
        await appendAll(writer, bytes);
        proxy.break(fault, { calls: bytes === BYTES ? /^POST .*\?uploadId=/ : /^PUT /, times: Infinity });
        await assert.rejects(writer.finish(), AWAY);
        await assert.rejects(writer.append(bytes.length, sampleBytes(1)), { code: 'blob_writer_closed' });
        proxy.heal();
        await writer.abort();
        await assertUnreadable(store, key);
        assert.deepEqual(await fixture.leftovers(), []);
      }
    });
  }

  const cut = { resetAfterSentBytes: 100_000 };
  for (const [what, fault] of Object.entries<Fault>({ ...PASSING, 'a connection that breaks in a body': cut })) {
    // Silence costs a time-out each time, and ends like a connection that breaks.
    if (fault === 'silent') continue;
    test(`gets over ${what} at all tries of a PutObject but the last`, async (t) => {
      const { store, proxy } = await makeS3StoreBehindProxy(t);
      const key = createStorageKey();
      proxy.break(fault, { calls: /^PUT /, times: ATTEMPTS - 1 });
      await writeBlob(store, key, SMALL);
      assert.equal(proxy.calls.length, ATTEMPTS);
      await assertHolds(store, key, SMALL);
    });

    test(`gives up a PutObject after ${what} at all its tries, and resumes nothing of it`, async (t) => {
      const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
      const key = createStorageKey();
      const writer = await store.create(key);
      await writer.append(0, SMALL);
      proxy.break(fault, { calls: /^PUT /, times: ATTEMPTS });
      await assert.rejects(writer.finish(), AWAY);
      assert.equal(proxy.calls.length, ATTEMPTS);
      await writer.suspend();
      const isStored = typeof fault === 'object' && 'reset' in fault && fault.reset === 'after';
      await assert.rejects(store.resume(key, writer.state), { code: isStored ? 'blob_exists' : 'blob_missing' });
      await store.delete(key);
      assert.deepEqual(await fixture.leftovers(), []);
    });
  }

  test('aborts the uploads that attempts to start one have left behind', async (t) => {
    const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
    const key = createStorageKey();
    const writer = await store.create(key);
    proxy.break({ reset: 'after' }, { calls: /\?uploads/, times: ATTEMPTS });
    await assert.rejects(writer.append(0, SHORT), AWAY);
    assert.deepEqual([writer.offset, writer.state], [0, '']);
    proxy.break({ status: 503, name: 'ServiceUnavailable' }, { calls: /^GET .*[?&]uploads/, times: ATTEMPTS });
    await assert.rejects(writer.append(0, SHORT), AWAY);
    assert.deepEqual([writer.offset, writer.state], [0, '']);
    await writer.append(0, SHORT);
    assert.equal((await fixture.leftovers()).filter((name) => name.startsWith('upload of')).length, 1);
    await writer.finish();
    await assertHolds(store, key, SHORT);
    assert.deepEqual(await fixture.leftovers(), [`${fixture.place.root}/${key}`]);
  });

  test('leaves an abort that failed to be tried again', async (t) => {
    const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
    const writer = await store.create(createStorageKey());
    await appendAll(writer, BYTES);
    proxy.break({ status: 503, name: 'ServiceUnavailable' }, { calls: /^DELETE /, times: Infinity });
    await assert.rejects(writer.abort(), AWAY);
    proxy.heal();
    await writer.abort();
    assert.deepEqual(await fixture.leftovers(), []);
  });

  test('says of a blob that was deleted beneath its writer that it is missing, if its upload had begun', async (t) => {
    const fixture = await makeS3Store();
    t.after(() => fixture.remove());
    const store = await fixture.open();
    for (const bytes of [BYTES, SMALL, sampleBytes(0)]) {
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

  for (const [what, fault] of Object.entries({
    'breaks': { cutAfterBytes: 2 * MIB + 5 },
    'falls silent': { silentAfterBytes: MIB + 7 },
  })) {
    test(`goes on where a connection ${what} in the middle of a blob`, async (t) => {
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

  test('ends a reading with an error when nothing more comes', async (t) => {
    const { store, proxy } = await makeS3StoreBehindProxy(t);
    const key = createStorageKey();
    await writeBlob(store, key, BYTES);
    for (const read of [() => readBlob(store, key), () => store.send(key, undefined, async () => undefined)]) {
      proxy.break({ cutAfterBytes: 0 }, { calls: /^GET /, times: Infinity });
      await assert.rejects(read(), AWAY);
    }
    proxy.heal();
    assert.ok((await readBlob(store, key)).equals(BYTES));
  });

  test('gives the connection free when a reader stops early', async (t) => {
    const { store, proxy } = await makeS3StoreBehindProxy(t);
    const key = createStorageKey();
    await writeBlob(store, key, BYTES);
    const stream = await store.read(key);
    await once(stream, 'readable');
    assert.equal(proxy.underway(), 1);
    stream.destroy();
    await eventually(async () => {
      assert.equal(proxy.underway(), 0);
    });
    await assert.rejects(
      store.send(key, undefined, () => Promise.reject(new Error('gone'))),
      { message: 'gone' },
    );
    await eventually(async () => {
      assert.equal(proxy.underway(), 0);
    });
  });

  test('says that it is full when its quota is used up, still reads and still passes its check', async (t) => {
    const fixture = await makeS3Store();
    const bucket = `berth-quota-${fixture.place.root.slice(-8)}`;
    await fixture.place.s3.createBucket({ Bucket: bucket });
    const store = await fixture.openWith({ bucket });
    const key = createStorageKey();
    await writeBlob(store, key, sampleBytes(1000));
    await limitBucket(bucket, 2000);
    t.after(() => limitBucket(bucket, undefined));

    for (const bytes of [BYTES.subarray(0, 6 * MIB), SMALL]) {
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
