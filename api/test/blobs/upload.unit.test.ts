import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, afterEach, before, describe, test } from 'node:test';
import { createBlobs, type Blobs, type BlobStore, type BlobUpload } from '../../src/blobs/index.ts';
import type { Database } from '../../src/db/index.ts';
import { eventually } from '../support/eventually.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { listBlobs, sampleBytes } from './contract/blob-bytes.ts';
import { makeFsStore, type FsStoreFixture } from './fs-fixture.ts';

const BYTES = sampleBytes(300_000);
const DIGEST = `sha256:${createHash('sha256').update(BYTES).digest('hex')}`;

for (const dialect of DIALECTS) {
  describe(`an upload on ${dialect}`, () => {
    let opened: TestDatabase;
    let database: Database;
    let fixture: FsStoreFixture;
    let store: BlobStore;
    let blobs: Blobs;

    before(async () => {
      opened = await openTestDatabase(dialect);
      fixture = await makeFsStore();
      ({ database } = opened);
      store = fixture.open();
      blobs = createBlobs({ database, store });
    });
    afterEach(async () => {
      for (const { key } of await listBlobs(store)) await store.delete(key);
      await database.db.deleteFrom('blobs').execute();
      await database.db.deleteFrom('blob_writers').execute();
    });
    after(async () => {
      await opened.close();
      await fixture.remove();
    });

    const rows = () => database.db.selectFrom('blobs').select(['digest', 'storage_key', 'size', 'state']).execute();
    const writers = () => database.db.selectFrom('blob_writers').selectAll().execute();
    const files = async () => (await listBlobs(store)).map(({ key, finished }) => finished ? key : `${key} unfinished`);
    const readBack = async () => (await buffer(await blobs.read(DIGEST))).equals(BYTES);

    async function receive(bytes = BYTES): Promise<BlobUpload> {
      const upload = await blobs.begin();
      for (let start = 0; start < bytes.length; start += 70_000) await upload.write(bytes.subarray(start, start + 70_000));
      return upload;
    }
    async function suspended(bytes: Buffer): Promise<BlobUpload> {
      const upload = await receive(bytes);
      await upload.suspend(new Date(Date.now() + 86_400_000));
      return upload;
    }
    const adopt = (upload: BlobUpload) => database.transaction((tx) => upload.adopt(tx));
    async function publish(bytes = BYTES): Promise<void> {
      const upload = await receive(bytes);
      await upload.finish();
      await adopt(upload);
      await upload.settle();
    }
    /** One sound row of these bytes, one file that it names, nobody writing. */
    async function assertStoredOnce(): Promise<void> {
      const [row, ...others] = await rows();
      assert.deepEqual(others, []);
      assert.deepEqual([row?.digest, row?.size, row?.state], [DIGEST, BYTES.length, 'sound']);
      assert.deepEqual(await files(), [row?.storage_key]);
      assert.deepEqual(await writers(), []);
      assert.ok(await readBack());
    }
    async function assertNothing(): Promise<void> {
      assert.deepEqual([await rows(), await writers(), await files()], [[], [], []]);
    }

    test('is in the list of writers before its first byte', async () => {
      const upload = await blobs.begin();
      const [writer, ...others] = await writers();
      assert.deepEqual(others, []);
      assert.deepEqual(await files(), [`${writer?.storage_key} unfinished`]);
      await upload.abort();
    });

    test('can be read once it is adopted, and not before', async () => {
      const upload = await receive();
      assert.equal(upload.sizeBytes, BYTES.length);
      assert.deepEqual(await upload.finish(), { digest: DIGEST, sizeBytes: BYTES.length });
      await assert.rejects(blobs.read(DIGEST), { code: 'blob_missing' });
      await adopt(upload);
      await upload.settle();
      await assertStoredOnce();
      assert.deepEqual(await buffer(await blobs.read(DIGEST, { start: 5, end: 9 })), BYTES.subarray(5, 10));
      assert.deepEqual(await blobs.totals(), { count: 1, sizeBytes: BYTES.length });
    });

    test('of no bytes is a blob too', async () => {
      await publish(Buffer.alloc(0));
      assert.equal((await rows())[0]?.digest, `sha256:${createHash('sha256').digest('hex')}`);
    });

    test('of bytes that are known adopts them and drops its own', async () => {
      await publish();
      const [known] = await rows();
      await publish();
      await assertStoredOnce();
      assert.equal((await rows())[0]?.storage_key, known?.storage_key);
    });

    test('of the same bytes, several at once, keeps one of them', async () => {
      await Promise.all(Array.from({ length: 6 }, () => publish()));
      await assertStoredOnce();
    });

    test('heals bytes that are gone', async () => {
      await publish();
      const [lost] = await rows();
      await rm(join(fixture.root, lost!.storage_key));
      await assert.rejects(blobs.read(DIGEST), { code: 'blob_missing' });
      await publish();
      await assertStoredOnce();
      assert.notEqual((await rows())[0]?.storage_key, lost?.storage_key);
    });

    test('heals bytes that were cut short, and drops what is left of them', async () => {
      await publish();
      const [damaged] = await rows();
      await truncate(join(fixture.root, damaged!.storage_key), 1000);
      await publish();
      await assertStoredOnce();
      assert.notEqual((await rows())[0]?.storage_key, damaged?.storage_key);
    });

    test('heals bytes that were found damaged, though their size is right', async () => {
      await publish();
      await database.db.updateTable('blobs').set({ state: 'damaged' }).execute();
      await publish();
      await assertStoredOnce();
    });

    test('heals lost bytes once when several come at once', async () => {
      await publish();
      await rm(join(fixture.root, (await rows())[0]!.storage_key));
      await Promise.all([publish(), publish(), publish()]);
      await assertStoredOnce();
    });

    for (const [moment, prepare] of Object.entries({
      'at its start': () => blobs.begin(),
      'half-way': () => receive(BYTES.subarray(0, 100_000)),
      'after its bytes are durable': async () => { const upload = await receive(); await upload.finish(); return upload; },
    })) {
      test(`leaves nothing when it is aborted ${moment}`, async () => {
        const upload = await prepare();
        await upload.abort();
        await upload.abort();
        await assertNothing();
      });
    }

    test('leaves nothing when the transaction that adopted it fails', async () => {
      const upload = await receive();
      await upload.finish();
      await assert.rejects(database.transaction(async (tx) => { await upload.adopt(tx); throw new Error('refused'); }), /refused/);
      await upload.abort();
      await assertNothing();
    });

    test('leaves what was known before when its adoption fails', async () => {
      await publish();
      const upload = await receive();
      await upload.finish();
      await assert.rejects(database.transaction(async (tx) => { await upload.adopt(tx); throw new Error('refused'); }), /refused/);
      await upload.abort();
      await assertStoredOnce();
    });

    test('may be adopted by a later attempt of a transaction', async () => {
      const upload = await receive();
      await upload.finish();
      let attempts = 0;
      await database.transaction(async (tx) => {
        await upload.adopt(tx);
        if (++attempts < 3) throw Object.assign(new Error('conflict'), { code: '40001' });
      });
      await upload.settle();
      await assertStoredOnce();
    });

    test('keeps its bytes when it is aborted though its adoption was committed, as when the answer of the commit was lost', async () => {
      const upload = await receive();
      await upload.finish();
      await adopt(upload);
      await upload.abort();
      await assertStoredOnce();
    });

    test('keeps the bytes of others then as well', async () => {
      await publish();
      const upload = await receive();
      await upload.finish();
      await adopt(upload);
      await upload.abort();
      assert.equal((await rows()).length, 1);
      assert.ok(await readBack());
    });

    test('cannot be adopted once somebody gave it up, and changes nothing then', async () => {
      const upload = await receive();
      await upload.finish();
      await database.db.deleteFrom('blob_writers').execute();
      await assert.rejects(adopt(upload), { code: 'blob_writer_closed' });
      assert.deepEqual(await rows(), []);
    });

    test('cannot be adopted before its bytes are durable', async () => {
      const upload = await receive();
      await assert.rejects(adopt(upload), /finish\(\) comes before adopt\(\)/);
      await upload.abort();
    });

    test('says that it lives, at most every half minute', async (t) => {
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
      const upload = await blobs.begin();
      const beatAt = async () => (await writers())[0]?.heartbeat_at;
      const first = await beatAt();
      t.mock.timers.tick(29_000);
      await upload.write(BYTES);
      assert.equal(await beatAt(), first);
      t.mock.timers.tick(2_000);
      await upload.write(BYTES);
      await eventually(async () => { assert.equal(Date.parse(await beatAt() ?? '') - Date.parse(first ?? ''), 31_000); });
      await upload.abort();
    });

    test('does not begin on a storage that is away, and leaves no writer', async () => {
      const away = await makeFsStore();
      const broken = createBlobs({ database, store: away.open() });
      await away.remove();
      await assert.rejects(broken.begin(), { code: 'storage_unavailable' });
      await assert.rejects(broken.check(), { code: 'storage_unavailable' });
      assert.deepEqual(await writers(), []);
    });

    const TOMORROW = new Date(Date.now() + 86_400_000);

    test('goes on after it was suspended, and nobody needs to read anything back', async () => {
      const upload = await receive(BYTES.subarray(0, 100_000));
      await upload.suspend(TOMORROW);
      assert.equal((await writers())[0]?.heartbeat_at, TOMORROW.toISOString());
      assert.deepEqual([upload.sizeBytes, upload.isHashed], [100_000, true]);
      await assert.rejects(upload.write(BYTES), { code: 'blob_writer_closed' });
      await upload.reopen();
      await upload.write(BYTES.subarray(100_000));
      assert.deepEqual(await upload.finish(() => Promise.reject(new Error('nothing was missed'))), { digest: DIGEST, sizeBytes: BYTES.length });
      await adopt(upload);
      await upload.settle();
      await assertStoredOnce();
    });

    test('goes on in another process by its key, and reads back once what that one did not see', async () => {
      const { storageKey } = await suspended(BYTES.subarray(0, 100_000));
      const upload = await blobs.resume(storageKey);
      assert.deepEqual([upload.sizeBytes, upload.isHashed], [100_000, false]);
      await upload.write(BYTES.subarray(100_000));
      const missed: Buffer[] = [];
      assert.deepEqual(await upload.finish(async (chunk) => { missed.push(Buffer.from(chunk)); }), { digest: DIGEST, sizeBytes: BYTES.length });
      assert.ok(Buffer.concat(missed).equals(BYTES));
      await adopt(upload);
      await upload.settle();
      await assertStoredOnce();
    });

    test('reads back no more than what others appended meanwhile', async () => {
      const first = await suspended(BYTES.subarray(0, 100_000));
      const other = await blobs.resume(first.storageKey);
      await other.write(BYTES.subarray(100_000, 200_000));
      await other.suspend(TOMORROW);
      await first.reopen();
      assert.deepEqual([first.sizeBytes, first.isHashed], [200_000, false]);
      await first.write(BYTES.subarray(200_000));
      const missed: Buffer[] = [];
      assert.equal((await first.finish(async (chunk) => { missed.push(Buffer.from(chunk)); })).digest, DIGEST);
      assert.ok(Buffer.concat(missed).equals(BYTES.subarray(100_000)));
      await first.abort();
      await assertNothing();
    });

    test('whose object was whole when its process died is adopted by the next one', async () => {
      const dead = await blobs.begin();
      await dead.write(BYTES);
      await dead.finish();
      const upload = await blobs.resume(dead.storageKey);
      assert.equal(upload.sizeBytes, BYTES.length);
      assert.equal((await upload.finish()).digest, DIGEST);
      await adopt(upload);
      await upload.settle();
      await assertStoredOnce();
    });

    test('may be asked for its end again', async () => {
      const upload = await receive();
      assert.deepEqual(await upload.finish(), await upload.finish());
      await upload.abort();
      await assertNothing();
    });

    for (const [moment, prepare] of Object.entries({ suspended: () => suspended(BYTES.subarray(0, 1000)), resumed: async () => blobs.resume((await suspended(BYTES)).storageKey) })) {
      test(`leaves nothing when it is aborted while it is ${moment}`, async () => {
        await (await prepare()).abort();
        await assertNothing();
      });
    }

    test('that nobody has open leaves nothing when it is discarded, and what was adopted stays', async () => {
      await blobs.discard((await suspended(BYTES)).storageKey);
      await assertNothing();
      const upload = await receive();
      await upload.finish();
      await adopt(upload);
      await blobs.discard(upload.storageKey);
      await assertStoredOnce();
    });

    test('cannot go on once it was discarded, or shorter than it was', async () => {
      const gone = await suspended(BYTES);
      await blobs.discard(gone.storageKey);
      await assert.rejects(gone.reopen(), { code: 'blob_missing' });
      await assert.rejects(blobs.resume(gone.storageKey), { code: 'blob_missing' });
      const cut = await suspended(BYTES);
      await truncate(join(fixture.root, `${cut.storageKey}~part`), 1000);
      await assert.rejects(cut.reopen(), { code: 'blob_missing' });
      assert.equal((await blobs.resume(cut.storageKey)).sizeBytes, 1000);
    });

    test('of a digest that nobody sent cannot be read', async () => {
      await assert.rejects(blobs.read(`sha256:${'0'.repeat(64)}`), { code: 'blob_missing', status: 500 });
      assert.deepEqual(await blobs.totals(), { count: 0, sizeBytes: 0 });
    });
  });
}
