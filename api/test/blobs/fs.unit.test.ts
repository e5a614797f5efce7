import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, test, type TestContext } from 'node:test';
import type { BlobStore } from '../../src/blobs/blob-store.ts';
import { createFsStore } from '../../src/blobs/drivers/fs.ts';
import { BerthError } from '../../src/errors.ts';
import { appendAll, assertHolds, listKeys, MIB, readBlob, sampleBytes, writeBlob } from './contract/blob-bytes.ts';
import { describeBlobStore } from './driver-contract.ts';
import { makeFsStore, openFiles, type FsStoreFixture } from './fs-fixture.ts';

describeBlobStore('fs', makeFsStore);

const key = '3f/3fa94c';

async function openStore(t: TestContext): Promise<{ store: BlobStore; fixture: FsStoreFixture; root: string }> {
  const fixture = await makeFsStore();
  t.after(() => fixture.remove());
  return { store: fixture.open(), fixture, root: fixture.root };
}

/** One call of every method of a store. */
function callsOf(store: BlobStore): Record<string, () => Promise<unknown>> {
  return {
    create: () => store.create(key),
    resume: () => store.resume(key, ''),
    stat: () => store.stat(key),
    read: () => store.read(key),
    delete: () => store.delete(key),
    list: () => listKeys(store),
    check: () => store.check(),
  };
}

describe('fs store: a missing root', () => {
  for (const method of Object.keys(callsOf({} as BlobStore))) {
    for (const instead of ['nothing', 'a file']) {
      test(`${method} reports storage_unavailable when there is ${instead} in its place`, async (t) => {
        const { store, root } = await openStore(t);
        await rm(root, { recursive: true });
        if (instead === 'a file') await writeFile(root, '');
        await assert.rejects(callsOf(store)[method]!(), (error) => {
          assert.ok(error instanceof BerthError);
          assert.equal(error.code, 'storage_unavailable');
          assert.equal(error.status, 503);
          assert.match(String((error.cause as NodeJS.ErrnoException).code), /^(ENOENT|ENOTDIR)$/);
          assert.ok(!JSON.stringify([error.title, error.message]).includes(root));
          return true;
        });
      });
    }
  }

  test('a writer reports storage_unavailable, and nothing is written elsewhere', async (t) => {
    const { store, root } = await openStore(t);
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(3));
    await rm(root, { recursive: true });
    await assert.rejects(writer.finish(), { code: 'storage_unavailable' });
    await writer.abort();
    await assert.rejects(stat(root), { code: 'ENOENT' });
  });
});

describe('fs store: files', () => {
  test('a root is created with the folders above it, and an existing one is kept', async (t) => {
    const { store, root } = await openStore(t);
    const deep = join(root, 'deeper', 'still');
    await writeBlob(createFsStore({ root: `${deep}/` }), key, sampleBytes(3));
    await assertHolds(createFsStore({ root: deep }), key, sampleBytes(3));
    await assertHolds(store, `deeper/still/${key}`, sampleBytes(3));
  });

  test('opening a store fails when its root cannot be created', async (t) => {
    const { root } = await openStore(t);
    await writeFile(join(root, 'file'), '');
    assert.throws(() => createFsStore({ root: join(root, 'file', 'blobs') }), { code: 'ENOTDIR' });
  });

  test('only their owner can read and enter them', async (t) => {
    const { store, root } = await openStore(t);
    const writer = await store.create(key);
    assert.equal((await stat(join(root, `${key}~part`))).mode & 0o777, 0o600);
    await writer.finish();
    assert.equal((await stat(join(root, key))).mode & 0o777, 0o600);
    assert.equal((await stat(join(root, dirname(key)))).mode & 0o777, 0o700);
    assert.equal((await stat(root)).mode & 0o777, 0o700);
  });

  test('finish does not replace a file that no store wrote', async (t) => {
    const { store, root } = await openStore(t);
    const writer = await store.create(key);
    await writeFile(join(root, key), 'restored');
    await assert.rejects(writer.finish(), { code: 'blob_exists' });
    await writer.abort();
    assert.equal(String(await readBlob(store, key)), 'restored');
    assert.deepEqual(await listKeys(store), [key]);
  });

  test('finish fails when the blob was deleted while it was being written', async (t) => {
    const { store, fixture } = await openStore(t);
    const writer = await store.create(key);
    await writer.append(0, sampleBytes(3));
    await store.delete(key);
    await assert.rejects(writer.finish(), { code: 'blob_missing' });
    await writer.abort();
    assert.deepEqual(await fixture.leftovers(), []);
  });

  test('exactly one of several concurrent creates of a key succeeds, across two stores on one root', async (t) => {
    const { store, fixture } = await openStore(t);
    const attempted = await Promise.allSettled(
      [store, fixture.open(), store, fixture.open()].map((each) => each.create(key)),
    );
    const writers = attempted.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
    assert.equal(writers.length, 1);
    await writers[0]!.abort();
  });

  const states = { 'finished': 'finish', 'suspended': 'suspend', 'being written': undefined } as const;
  for (const [state, end] of Object.entries(states)) {
    test(`create rejects the key of a blob that is ${state}, and leaves the blob intact`, async (t) => {
      const { store, fixture } = await openStore(t);
      let writer = await store.create(key);
      await writer.append(0, sampleBytes(3));
      if (end) await writer[end]();
      for (const each of [store, fixture.open()]) {
        await assert.rejects(each.create(key), { code: 'blob_exists', status: 500 });
      }
      assert.deepEqual(await listKeys(store), [key]);
      if (state === 'suspended') writer = await store.resume(key, '');
      if (state !== 'finished') await writer.finish();
      await assertHolds(store, key, sampleBytes(3));
    });
  }

  test('blobs can be created and deleted concurrently in one folder', async (t) => {
    const { store, fixture } = await openStore(t);
    await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        for (let round = 0; round < 25; round++) {
          const writer = await store.create(`ab/${n}`);
          await (round % 2 ? writer.abort() : writer.finish());
          await store.delete(`ab/${n}`);
        }
      }),
    );
    assert.deepEqual(await fixture.leftovers(), []);
  });

  test('a key cannot be a folder of another key, and a folder is not a blob', async (t) => {
    const { store } = await openStore(t);
    await writeBlob(store, 'ab/cd', sampleBytes(3));
    await assert.rejects(store.create('ab'), { code: 'blob_exists' });
    await assert.rejects(store.create('ab/cd/ef'), { code: 'blob_exists' });
    for (const missing of ['ab', 'ab/cd/ef']) {
      await assert.rejects(store.stat(missing), { code: 'blob_missing' });
      await assert.rejects(store.read(missing), { code: 'blob_missing' });
      await assert.rejects(store.resume(missing, ''), { code: /^blob_(missing|exists)$/ });
      await store.delete(missing);
    }
    await assertHolds(store, 'ab/cd', sampleBytes(3));
  });

  test('files that no store wrote are not listed', async (t) => {
    const { store, root } = await openStore(t);
    await mkdir(join(root, 'lost+found', 'ab'), { recursive: true });
    await writeFile(join(root, 'lost+found', 'ab', 'cd'), '');
    await writeFile(join(root, '.DS_Store'), '');
    await mkdir(join(root, 'empty'));
    await writeBlob(store, key, sampleBytes(3));
    assert.deepEqual(await listKeys(store), [key]);
  });
});

describe('fs store: readers', () => {
  test('a reader reaches the end of a blob that is deleted meanwhile', async (t) => {
    const { store } = await openStore(t);
    await writeBlob(store, key, sampleBytes(5 * MIB));
    const stream = await store.read(key);
    await once(stream, 'readable');
    await store.delete(key);
    assert.ok((await buffer(stream)).equals(sampleBytes(5 * MIB)));
  });

  test('a reader of a truncated file fails instead of ending early', async (t) => {
    const { store, root } = await openStore(t);
    await writeBlob(store, key, sampleBytes(5 * MIB));
    const stream = await store.read(key);
    await truncate(join(root, key), 4 * MIB + 10);
    await assert.rejects(buffer(stream), { code: 'blob_missing' });
  });

  test('a reader is not affected when the root is renamed', async (t) => {
    const { store, root } = await openStore(t);
    await writeBlob(store, key, sampleBytes(5 * MIB));
    const stream = await store.read(key);
    await rename(root, `${root}-moved`);
    assert.ok((await buffer(stream)).equals(sampleBytes(5 * MIB)));
  });
});

describe('fs store: descriptors', () => {
  test('finish, suspend and abort close the file', async (t) => {
    const { store, root } = await openStore(t);
    for (const end of ['finish', 'suspend', 'abort'] as const) {
      const writer = await store.create(`ab/${end}`);
      await appendAll(writer, sampleBytes(MIB));
      assert.equal((await openFiles(root)).length, 1);
      await writer[end]();
      assert.deepEqual(await openFiles(root), []);
    }
  });

  test('a rejected create or read leaves no file open', async (t) => {
    const { store, root } = await openStore(t);
    await writeBlob(store, key, sampleBytes(3));
    await assert.rejects(store.create(key), { code: 'blob_exists' });
    await assert.rejects(store.read(key, { start: 3, end: 3 }), { code: 'blob_range_invalid' });
    await assert.rejects(store.read(dirname(key)), { code: 'blob_missing' });
    assert.deepEqual(await openFiles(root), []);
  });

  test('a reader closes its file at its end and when it is destroyed', async (t) => {
    const { store, root } = await openStore(t);
    await writeBlob(store, key, sampleBytes(5 * MIB));
    await readBlob(store, key);
    assert.deepEqual(await openFiles(root), []);
    for (const started of [true, false]) {
      const stream = await store.read(key);
      assert.equal((await openFiles(root)).length, 1);
      if (started) await once(stream, 'readable');
      stream.destroy();
      await once(stream, 'close');
      assert.deepEqual(await openFiles(root), []);
    }
  });
});
