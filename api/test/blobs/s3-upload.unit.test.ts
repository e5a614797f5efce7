// An upload's row and its bytes on S3, and what remains after its process dies.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { createBlobs, type Blobs, type BlobWrite } from '../../src/blobs/index.ts';
import { createSweep } from '../../src/blobs/sweep.ts';
import { digestOf } from '../support/digests.ts';
import { eventually } from '../support/eventually.ts';
import { openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { MIB, readBlob, sampleBytes } from './contract/blob-bytes.ts';
import { makeS3Store, type S3StoreFixture } from './s3-fixture.ts';
import { TOMORROW } from './write-fixture.ts';

const PART = 5 * MIB;
const LONG = sampleBytes(2 * PART + 7);

describe('an upload to S3', () => {
  let opened: TestDatabase;
  let fixture: S3StoreFixture;
  before(async () => {
    opened = await openTestDatabase('sqlite');
    fixture = await makeS3Store();
  });
  afterEach(async () => {
    for (const table of ['blobs', 'blob_writers'] as const) await db().deleteFrom(table).execute();
    await fixture.remove();
  });
  after(async () => {
    await opened.close();
  });

  const db = () => opened.database.db;
  /** Opens the blobs as another process would. */
  const openBlobs = async (): Promise<Blobs> =>
    createBlobs({ database: opened.database, store: await fixture.open() });
  /** The keys and states of all writers. */
  const writers = async () => {
    const rows = await db().selectFrom('blob_writers').selectAll().execute();
    return rows.map(({ storage_key: key, state }) => [key, state]);
  };
  const uploadsOnS3 = async () => (await fixture.leftovers()).filter((name) => name.startsWith('upload of')).length;

  async function receive(bytes: Uint8Array): Promise<BlobWrite> {
    const upload = await (await openBlobs()).begin();
    for (let start = 0; start < bytes.length; start += MIB) await upload.write(bytes.subarray(start, start + MIB));
    return upload;
  }

  async function publish(upload: BlobWrite, bytes: Uint8Array): Promise<void> {
    assert.partialDeepStrictEqual(await upload.finish(), { digest: digestOf(bytes), sizeBytes: bytes.length });
    await opened.database.transaction(async (tx) => (await upload.finish()).adopt(tx));
    await (await upload.finish()).settle();
  }

  /** Makes all writers stale, and sweeps. */
  async function sweep(): Promise<{ endedUploads: number; removedObjects: number }> {
    await db().updateTable('blob_writers').set({ heartbeat_at: '2020-01-01T00:00:00.000Z' }).execute();
    const eager = createSweep({ database: opened.database, store: await fixture.open(), graceMs: 0 });
    const { endedUploads, removedObjects } = await eager.run();
    return { endedUploads, removedObjects };
  }

  async function assertNothing(): Promise<void> {
    assert.deepEqual([await writers(), await fixture.leftovers()], [[], []]);
  }

  /** Asserts one intact row of the bytes, its object, and no other rows, objects or writers. */
  async function assertStoredOnce(bytes: Uint8Array): Promise<void> {
    const [row, ...others] = await db().selectFrom('blobs').selectAll().execute();
    assert.deepEqual([row?.digest, others, await writers()], [digestOf(bytes), [], []]);
    assert.deepEqual(await fixture.leftovers(), [`${fixture.testS3.root}/${row?.storage_key}`]);
    assert.ok((await readBlob(await fixture.open(), row?.storage_key ?? '')).equals(bytes));
  }

  for (const sizeBytes of [0, 1, PART]) {
    test(`of ${sizeBytes} bytes leaves only its row when its process dies, and a sweep deletes it`, async () => {
      const { storageKey } = await receive(LONG.subarray(0, sizeBytes));
      assert.deepEqual(await writers(), [[storageKey, '']]);
      assert.deepEqual(await fixture.leftovers(), []);
      await assert.rejects((await openBlobs()).resume(storageKey), { code: 'blob_missing' });
      assert.deepEqual(await sweep(), { endedUploads: 1, removedObjects: 0 });
      await assertNothing();
    });

    test(`of ${sizeBytes} bytes can be adopted by another process when its own died after finishing`, async () => {
      const bytes = LONG.subarray(0, sizeBytes);
      const dead = await receive(bytes);
      await dead.finish();
      await publish(await (await openBlobs()).resume(dead.storageKey), bytes);
      await assertStoredOnce(bytes);
    });

    test(`of ${sizeBytes} bytes can be continued by another process after it was suspended`, async () => {
      const first = await receive(LONG.subarray(0, sizeBytes));
      await first.suspend(TOMORROW);
      const upload = await (await openBlobs()).resume(first.storageKey);
      assert.equal(upload.sizeBytes, sizeBytes);
      await upload.write(LONG.subarray(sizeBytes));
      await publish(upload, LONG);
      await assertStoredOnce(LONG);
    });
  }

  test('that exceeds a part stores its state before accepting more, so it survives its process', async () => {
    const dead = await receive(LONG.subarray(0, PART + 1));
    const [[, state] = []] = await writers();
    assert.ok(state);
    const upload = await (await openBlobs()).resume(dead.storageKey);
    await upload.write(LONG.subarray(upload.sizeBytes));
    await publish(upload, LONG);
    await assertStoredOnce(LONG);
  });

  test('whose process died before its row had the upload ID cannot be resumed, and is cleaned up', async () => {
    for (const remove of [async (key: string) => (await openBlobs()).discard(key), sweep]) {
      const { storageKey } = await receive(LONG);
      await db().updateTable('blob_writers').set({ state: '' }).execute();
      assert.equal(await uploadsOnS3(), 1);
      await assert.rejects((await openBlobs()).resume(storageKey), { code: 'blob_missing' });
      // Swift rounds times up to the next second: until then a sweep considers objects too young.
      await eventually(async () => {
        await remove(storageKey);
        await assertNothing();
      });
    }
  });

  test('fails when its state cannot be stored in its row, and leaves nothing when it is aborted', async () => {
    const blobs = createBlobs({ database: opened.database, store: await fixture.open() });
    const upload = await blobs.begin();
    await upload.write(LONG.subarray(0, PART));
    await db().schema.alterTable('blob_writers').renameColumn('state', 'other').execute();
    await assert.rejects(upload.write(LONG.subarray(PART)));
    await db().schema.alterTable('blob_writers').renameColumn('other', 'state').execute();
    await upload.abort();
    await assertNothing();
  });

  test('cannot be adopted after a sweep has ended it, and a later sweep removes its object', async () => {
    const upload = await receive(LONG.subarray(0, 1));
    await sweep();
    await upload.finish();
    await assert.rejects(
      opened.database.transaction(async (tx) => (await upload.finish()).adopt(tx)),
      { code: 'blob_writer_closed' },
    );
    await upload.abort();
    assert.deepEqual(await fixture.leftovers(), [`${fixture.testS3.root}/${upload.storageKey}`]);
    await eventually(async () => {
      assert.deepEqual(await sweep(), { endedUploads: 0, removedObjects: 1 });
    });
    await assertNothing();
  });
});
