import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStorageKey } from '../../src/blobs/blob-store.ts';
import { MAX_S3_BLOB_BYTES, partBytesOf } from '../../src/blobs/drivers/s3-parts.ts';
import { eventually } from '../support/eventually.ts';
import { createTestS3, TEST_BUCKET } from '../support/s3.ts';
import {
  appendAll,
  assertHolds,
  listBlobs,
  listKeys,
  MIB,
  readBlob,
  sampleBytes,
  writeBlob,
} from './contract/blob-bytes.ts';
import { describeBlobStore, READING } from './driver-contract.ts';
import { makeS3Store, makeS3StoreBehindProxy } from './s3-fixture.ts';

const GIB = 1024 * MIB;

describeBlobStore('s3', makeS3Store, READING);

test('an S3 store never accesses, lists or changes anything outside its root, and copies nothing', async (t) => {
  const testS3 = await createTestS3();
  t.after(() => testS3.remove());
  const { s3, root } = testS3;
  const key = createStorageKey();
  const outside = [
    `${root}/a`,
    `${root}/ab/${key}`,
    `${root}/ab/~tails/${key}`,
    `${root}/a.b/${key}`,
    `${root}/b/${key}`,
    `${root}/${key}`,
    key.replace('/', `/${root}`),
  ];
  const at = (Key: string) => ({ Bucket: TEST_BUCKET, Key });
  for (const Key of outside) await s3.putObject({ ...at(Key), Body: 'foreign' });
  const uploads = await Promise.all(
    [`${root}/ab/${key}`, `${root}/${key}`].map((Key) => s3.createMultipartUpload(at(Key))),
  );
  const snapshot = async () => [
    ...(await testS3.leftovers()),
    ...(await Promise.all(outside.map(async (Key) => (await s3.headObject(at(Key))).LastModified?.getTime()))),
  ];
  const before = await snapshot();

  const { store, proxy } = await makeS3StoreBehindProxy(t, { root: `${root}/a` });
  await store.check();
  assert.deepEqual(await listKeys(store), []);
  const first = await store.create(key);
  await appendAll(first, sampleBytes(6 * MIB));
  assert.deepEqual(
    (await listBlobs(store)).map((blob) => [blob.key, blob.finished]),
    [[key, false]],
  );
  await first.suspend();
  await (await store.resume(key, first.state)).finish();
  await assertHolds(store, key, sampleBytes(6 * MIB));
  await (await store.create(`${key}2`)).abort();
  assert.deepEqual(await listKeys(store), [key]);
  for await (const blob of store.list()) await store.delete(blob.key);

  assert.deepEqual(await snapshot(), before);
  const inside = new RegExp(`^[A-Z]+ /${TEST_BUCKET}/(${root}/a/|\\?(.*&)?prefix=${root}%2Fa%2F)`);
  assert.deepEqual(
    proxy.calls.filter((call) => !inside.test(call)),
    [],
  );
  assert.deepEqual(
    proxy.headers.filter((headers) => 'x-amz-copy-source' in headers),
    [],
  );
  await s3.deleteObject(at(outside.at(-1) ?? ''));
  await Promise.all(uploads.map(({ Key = '', UploadId }) => s3.abortMultipartUpload({ ...at(Key), UploadId })));
});

for (const root of ['/a', 'a/', 'a//b', '.', '..', 'a/../b', 'a/.', 'a\\b', 'a\nb', 'r'.repeat(801)]) {
  test(`${JSON.stringify(root.slice(0, 10))} is rejected as root of an S3 store`, async () => {
    const { openWith } = await makeS3Store();
    await assert.rejects(openWith({ root }), /^Error: the root of an S3 store/);
  });
}

test('a tail is recognised as stale after a crash that followed further parts', async (t) => {
  const fixture = await makeS3Store();
  t.after(() => fixture.remove());
  const key = createStorageKey();
  const bytes = sampleBytes(13 * MIB);
  const first = await (await fixture.open()).create(key);
  await appendAll(first, bytes.subarray(0, 6 * MIB));
  await first.suspend();
  assert.deepEqual(
    (await fixture.leftovers()).filter((name) => !/^(upload|part)/.test(name)),
    [`${fixture.testS3.root}/~tails/${key}`],
  );

  const crashed = await (await fixture.open()).resume(key, first.state);
  assert.equal(crashed.offset, 6 * MIB);
  await appendAll(crashed, bytes.subarray(crashed.offset, 11 * MIB));
  await eventually(async () => {
    assert.equal((await fixture.leftovers()).filter((name) => name.startsWith('part')).length, 2);
  });

  const store = await fixture.open();
  const last = await store.resume(key, first.state);
  assert.equal(last.offset, 10 * MIB);
  await appendAll(last, bytes.subarray(last.offset));
  await last.finish();
  await assertHolds(store, key, bytes);
  assert.deepEqual(await fixture.leftovers(), [`${fixture.testS3.root}/${key}`]);
});

test('a tail without an upload is listed as unfinished, and deleted with its key', async (t) => {
  const fixture = await makeS3Store();
  t.after(() => fixture.remove());
  const key = createStorageKey();
  const store = await fixture.open();
  const writer = await store.create(key);
  await writer.append(0, sampleBytes(10));
  await writer.suspend();
  await fixture.testS3.s3.abortMultipartUpload({
    Bucket: TEST_BUCKET,
    Key: `${fixture.testS3.root}/${key}`,
    UploadId: writer.state,
  });
  const [blob] = await listBlobs(store);
  assert.deepEqual({ ...blob, modifiedAt: undefined }, { key, sizeBytes: 10, modifiedAt: undefined, finished: false });
  await assert.rejects(store.resume(key, writer.state), { code: 'blob_missing' });
  await store.delete(key);
  assert.deepEqual(await fixture.leftovers(), []);
});

test('deleting a blob known to be finished takes one request; leftovers are listed as unfinished', async (t) => {
  const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
  const key = createStorageKey();
  const first = await store.create(key);
  await first.append(0, sampleBytes(10));
  await first.suspend();
  const second = await store.resume(key, first.state);
  proxy.break({ status: 503, name: 'ServiceUnavailable' }, { calls: /~tails/, times: Infinity });
  await second.finish();
  proxy.heal();
  const callsBefore = proxy.calls.length;
  await store.delete(key, { isFinished: true });
  assert.equal(proxy.calls.length - callsBefore, 1);
  assert.deepEqual(
    (await listBlobs(store)).map((blob) => [blob.key, blob.finished]),
    [[key, false]],
  );
  await store.delete(key);
  assert.deepEqual(await fixture.leftovers(), []);
});

test('parts after a gap left by a crash are sent again', async (t) => {
  const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
  const key = createStorageKey();
  const bytes = sampleBytes(11 * MIB);
  proxy.break({ status: 503, name: 'ServiceUnavailable' }, { calls: /partNumber=1&/, times: Infinity });
  const crashed = await store.create(key);
  await crashed.append(0, bytes.subarray(0, 10 * MIB));
  await eventually(async () => {
    assert.deepEqual(
      (await fixture.leftovers()).map((name) => name.split(' ', 2).join(' ')),
      ['upload of', 'part 2'],
    );
  });
  proxy.heal();
  const second = await (await fixture.open()).resume(key, crashed.state);
  assert.equal(second.offset, 0);
  await appendAll(second, bytes);
  await second.finish();
  await assertHolds(store, key, bytes);
});

test('an upload has at maxInFlight two parts in flight, however fast bytes arrive', async (t) => {
  const { store, proxy } = await makeS3StoreBehindProxy(t);
  const key = createStorageKey();
  const writer = await store.create(key);
  const bytes = sampleBytes(26 * MIB);
  let maxInFlight = 0;
  const watch = setInterval(() => {
    maxInFlight = Math.max(maxInFlight, proxy.pendingCalls());
  }, 1);
  await appendAll(writer, bytes, 64 * 1024);
  await writer.finish();
  clearInterval(watch);
  assert.ok(maxInFlight >= 1 && maxInFlight <= 2, `${maxInFlight} parts at once`);
  assert.equal(proxy.calls.filter((call) => call.includes('partNumber=')).length, 6);
  await assertHolds(store, key, bytes);
});

const PART = partBytesOf(1);
const MULTIPART = ['POST ?uploads', 'PUT ?partNumber', 'PUT ?partNumber', 'POST ?uploadId'];
for (const [sizeBytes, requests] of [
  [0, ['PUT']],
  [1, ['PUT']],
  [PART, ['PUT']],
  [PART + 1, MULTIPART],
] as const) {
  test(`a blob of ${sizeBytes} bytes takes ${requests.length} S3 requests`, async (t) => {
    const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
    const key = createStorageKey();
    const object = `/${TEST_BUCKET}/${fixture.testS3.root}/${key}`;
    await writeBlob(store, key, sampleBytes(sizeBytes));
    const names = proxy.calls.map((call) => call.replace(object, '').replace('?x-id=PutObject', ''));
    const sent = names.map((name) => name.replace(/=.*/, '').trim());
    assert.deepEqual(sent, requests);
    await assertHolds(store, key, sampleBytes(sizeBytes));
  });
}

test('a blob of one part that is aborted, or whose process dies, takes no request and leaves nothing', async (t) => {
  const { store, fixture, proxy } = await makeS3StoreBehindProxy(t);
  for (const isAborted of [true, false]) {
    const writer = await store.create(createStorageKey());
    await appendAll(writer, sampleBytes(PART));
    if (isAborted) await writer.abort();
  }
  assert.deepEqual(proxy.calls, []);
  assert.deepEqual(await fixture.leftovers(), []);
});

test('of several writers of a key, the last to finish wins, and a deletion removes all of them', async (t) => {
  const fixture = await makeS3Store();
  t.after(() => fixture.remove());
  const store = await fixture.open();
  const key = createStorageKey();
  const writers = await Promise.all([1, 2, 3].map(() => store.create(key)));
  for (const [n, writer] of writers.entries()) await appendAll(writer, sampleBytes(PART * n + 1, `writer ${n}`));
  for (const n of [0, 1]) {
    await writers[n]!.finish();
    await assertHolds(store, key, sampleBytes(PART * n + 1, `writer ${n}`));
  }
  await store.delete(key);
  await assert.rejects(writers[2]!.finish(), { code: 'blob_missing' });
  assert.deepEqual(await fixture.leftovers(), []);
});

for (const [checksums, isSent] of [
  ['WHEN_REQUIRED', false],
  ['WHEN_SUPPORTED', true],
] as const) {
  test(`an upload carries ${isSent ? 'the' : 'no'} checksums of the SDK with ${checksums}`, async (t) => {
    const { store, proxy } = await makeS3StoreBehindProxy(t, { checksums });
    const key = createStorageKey();
    for (const sizeBytes of [6 * MIB, 1, 0]) {
      await writeBlob(store, key, sampleBytes(sizeBytes));
      await assertHolds(store, key, sampleBytes(sizeBytes));
    }
    const bodies = proxy.headers.filter((_headers, call) => proxy.calls[call]?.startsWith('PUT '));
    assert.deepEqual(
      bodies.map((headers) => 'x-amz-checksum-crc32' in headers),
      [isSent, isSent, isSent, isSent],
    );
  });
}

test('the 10,000 parts of an upload hold more than 200 GiB, and the first parts are short', () => {
  let sizeBytes = 0;
  for (let number = 1; number <= 10_000; number++) {
    const partBytes = partBytesOf(number);
    assert.ok(partBytes >= 5 * MIB && partBytes <= 5 * GIB);
    if (sizeBytes < 4 * GIB) assert.equal(partBytes, 5 * MIB);
    if (sizeBytes < 200 * GIB) assert.ok(partBytes <= 32 * MIB);
    sizeBytes += partBytes;
  }
  assert.ok(sizeBytes > 450 * GIB);
  assert.equal(sizeBytes, MAX_S3_BLOB_BYTES);
  assert.throws(() => partBytesOf(10_001), RangeError);
});

test('a link serves the bytes to anybody until it expires, with the name and type it was created with', async (t) => {
  const fixture = await makeS3Store();
  t.after(() => fixture.remove());
  const key = createStorageKey();
  assert.equal((await fixture.open()).link, undefined);
  const store = await fixture.openWith({ linkExpirySeconds: 77 });
  await writeBlob(store, key, sampleBytes(1000));
  const link =
    (await store.link?.(key, {
      contentDisposition: "attachment; filename*=UTF-8''l%27%C3%A9t%C3%A9.bin",
      contentType: 'application/octet-stream',
    })) ?? '';
  assert.equal(new URL(link).searchParams.get('X-Amz-Expires'), '77');
  const response = await fetch(link, { headers: { range: 'bytes=10-19' } });
  assert.deepEqual(
    [response.status, response.headers.get('content-disposition'), response.headers.get('content-type')],
    [206, "attachment; filename*=UTF-8''l%27%C3%A9t%C3%A9.bin", 'application/octet-stream'],
  );
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), await readBlob(store, key, { start: 10, end: 19 }));
  const forged = new URL(link);
  forged.searchParams.set('X-Amz-Expires', '7700');
  assert.equal((await fetch(forged)).status, 403);
});
