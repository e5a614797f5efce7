// Fixture for upload tests: an empty store and database, and uploads of one sample.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { createBlobs, type Blobs, type BlobStore, type BlobWrite } from '../../src/blobs/index.ts';
import type { Database, DialectName } from '../../src/db/index.ts';
import { openTestDatabase } from '../support/test-database.ts';
import { listBlobs, sampleBytes } from './contract/blob-bytes.ts';
import { makeFsStore } from './fs-fixture.ts';

export const BYTES = sampleBytes(300_000);
export const DIGEST = `sha256:${createHash('sha256').update(BYTES).digest('hex')}`;
/** How long a suspended upload is kept. */
export const TOMORROW = new Date(Date.now() + 86_400_000);
/** Chunk size of the uploads. */
const CHUNK_BYTES = 70_000;

export interface WriteFixture {
  database: Database;
  store: BlobStore;
  blobs: Blobs;
  /** Root of the store. */
  root: string;
  rows(): Promise<{ digest: string; storage_key: string; size: number; state: string }[]>;
  writers(): Promise<{ storage_key: string; heartbeat_at: string }[]>;
  /** Keys in the store; unfinished ones are followed by ` unfinished`. */
  files(): Promise<string[]>;
  /** Whether the sample reads back unchanged. */
  readBack(): Promise<boolean>;
  receive(bytes?: Uint8Array): Promise<BlobWrite>;
  suspended(bytes: Uint8Array): Promise<BlobWrite>;
  adopt(upload: BlobWrite): Promise<void>;
  publish(bytes?: Uint8Array): Promise<void>;
  /** Asserts one intact row of the sample, its file, and no other rows, files or writers. */
  assertStoredOnce(): Promise<void>;
  assertNothing(): Promise<void>;
  /** Empties the store and its tables. */
  empty(): Promise<void>;
  close(): Promise<void>;
}

export async function makeWriteFixture(dialect: DialectName): Promise<WriteFixture> {
  const opened = await openTestDatabase(dialect);
  const files = await makeFsStore();
  const { database } = opened;
  const store = files.open();
  const blobs = createBlobs({ database, store });
  const fixture: WriteFixture = {
    database,
    store,
    blobs,
    root: files.root,
    rows: () => database.db.selectFrom('blobs').select(['digest', 'storage_key', 'size', 'state']).execute(),
    writers: () => database.db.selectFrom('blob_writers').selectAll().execute(),
    files: async () => (await listBlobs(store)).map(({ key, finished }) => (finished ? key : `${key} unfinished`)),
    readBack: async () => (await buffer(await blobs.read(DIGEST))).equals(BYTES),
    async receive(bytes = BYTES) {
      const upload = await blobs.begin();
      for (let start = 0; start < bytes.length; start += CHUNK_BYTES)
        await upload.write(bytes.subarray(start, start + CHUNK_BYTES));
      return upload;
    },
    async suspended(bytes) {
      const upload = await fixture.receive(bytes);
      await upload.suspend(TOMORROW);
      return upload;
    },
    adopt: (upload) => database.transaction(async (tx) => (await upload.finish()).adopt(tx)),
    async publish(bytes = BYTES) {
      const upload = await fixture.receive(bytes);
      await upload.finish();
      await fixture.adopt(upload);
      await (await upload.finish()).settle();
    },
    async assertStoredOnce() {
      const [row, ...others] = await fixture.rows();
      assert.deepEqual(others, []);
      assert.deepEqual([row?.digest, row?.size, row?.state], [DIGEST, BYTES.length, 'sound']);
      assert.deepEqual(await fixture.files(), [row?.storage_key]);
      assert.deepEqual(await fixture.writers(), []);
      assert.ok(await fixture.readBack());
    },
    async assertNothing() {
      assert.deepEqual([await fixture.rows(), await fixture.writers(), await fixture.files()], [[], [], []]);
    },
    async empty() {
      for (const { key } of await listBlobs(store)) await store.delete(key);
      await database.db.deleteFrom('blobs').execute();
      await database.db.deleteFrom('blob_writers').execute();
    },
    async close() {
      await opened.close();
      await files.remove();
    },
  };
  return fixture;
}
