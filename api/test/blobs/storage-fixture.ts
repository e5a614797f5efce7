// Fixture: blobs in a database and a file system store, their sweep and scrub, and artefacts that refer to them.

import { rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createBlobs, type Blobs, type BlobStore, type BlobWrite } from '../../src/blobs/index.ts';
import { createScrub, type Scrub } from '../../src/blobs/scrub.ts';
import { createSweep, type Sweep } from '../../src/blobs/sweep.ts';
import type { Database, DialectName, Tx } from '../../src/db/index.ts';
import { digestOf } from '../support/digests.ts';
import { openTestDatabase } from '../support/test-database.ts';
import { listBlobs } from './contract/blob-bytes.ts';
import { makeFsStore } from './fs-fixture.ts';

export interface StorageFixture {
  database: Database;
  store: BlobStore;
  blobs: Blobs;
  root: string;
  sweepAfter(graceMs: number): Sweep;
  scrub: Scrub;
  /** Stores bytes and, with an id, makes a slot that refers to them; returns their digest. */
  publish(bytes: Uint8Array, id?: string): Promise<string>;
  /** Creates an upload that has received its bytes and is durable. */
  receive(bytes: Uint8Array): Promise<BlobWrite>;
  /** Makes the slot of an artefact refer to a digest, in the transaction that adopts it. */
  putSlot(tx: Tx, id: string, digest: string): Promise<void>;
  deleteArtefact(id: string): Promise<void>;
  rows(): Promise<{ digest: string; storage_key: string; state: string; unreferenced_since: string | null }[]>;
  writers(): Promise<string[]>;
  /** Keys of all objects, sorted. */
  files(): Promise<string[]>;
  keyOf(digest: string): Promise<string>;
  /** Backdates marks, heartbeats and files, as if the time had passed. */
  age(ms: number): Promise<void>;
  corrupt(digest: string, how: 'delete' | 'truncate' | 'overwrite'): Promise<void>;
  /** Empties database and storage. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export async function openStorage(dialect: DialectName): Promise<StorageFixture> {
  const opened = await openTestDatabase(dialect);
  const { database } = opened;
  const files = await makeFsStore();
  const store = files.open();
  const blobs = createBlobs({ database, store });

  const fixture: StorageFixture = {
    database,
    store,
    blobs,
    root: files.root,
    sweepAfter: (graceMs) => createSweep({ database, store, graceMs }),
    scrub: createScrub({ database, store }),
    async publish(bytes, id) {
      const upload = await fixture.receive(bytes);
      const digest = digestOf(bytes);
      await database.transaction(async (tx) => {
        await (await upload.finish()).adopt(tx);
        if (id !== undefined) await fixture.putSlot(tx, id, digest);
      });
      await (await upload.finish()).settle();
      return digest;
    },
    async receive(bytes) {
      const upload = await blobs.begin();
      await upload.write(bytes);
      await upload.finish();
      return upload;
    },
    async putSlot(tx, id, digest) {
      await tx
        .insertInto('artefacts')
        .values({
          id,
          format: 'file',
          category: 'other',
          package_name: null,
          group_fr: null,
          group_en: null,
          public: 1,
          deprecated: 0,
          origin: null,
          data_updated_at: '',
          last_modified: 0,
          version_key: '',
          search_text: '',
        })
        .onConflict((conflict) => conflict.column('id').doNothing())
        .execute();
      await tx
        .insertInto('slots')
        .values({
          artefact_id: id,
          architecture: '',
          digest,
          path: id,
          size: 1,
          version: null,
          file_name: id,
          uploaded_at: '',
          uploaded_by: '{}',
          has_native_modules: 0,
          has_install_scripts: 0,
        })
        .onConflict((conflict) => conflict.columns(['artefact_id', 'architecture']).doUpdateSet({ digest }))
        .execute();
    },
    async deleteArtefact(id) {
      await database.db.deleteFrom('artefacts').where('id', '=', id).execute();
    },
    rows: () =>
      database.db
        .selectFrom('blobs')
        .select(['digest', 'storage_key', 'state', 'unreferenced_since'])
        .orderBy('digest')
        .execute(),
    writers: async () =>
      (await database.db.selectFrom('blob_writers').select('storage_key').execute()).map((row) => row.storage_key),
    files: async () => (await listBlobs(store)).map(({ key }) => key).sort(),
    async keyOf(digest) {
      return (
        await database.db
          .selectFrom('blobs')
          .select('storage_key')
          .where('digest', '=', digest)
          .executeTakeFirstOrThrow()
      ).storage_key;
    },
    async age(ms) {
      const back = (time: string) => new Date(Date.parse(time) - ms).toISOString();
      for (const { digest, unreferenced_since: since } of await fixture.rows()) {
        if (since !== null)
          await database.db
            .updateTable('blobs')
            .set({ unreferenced_since: back(since) })
            .where('digest', '=', digest)
            .execute();
      }
      for (const { storage_key, heartbeat_at } of await database.db.selectFrom('blob_writers').selectAll().execute()) {
        await database.db
          .updateTable('blob_writers')
          .set({ heartbeat_at: back(heartbeat_at) })
          .where('storage_key', '=', storage_key)
          .execute();
      }
      for (const { key, modifiedAt, finished } of await listBlobs(store)) {
        const time = new Date(modifiedAt.getTime() - ms);
        await utimes(join(files.root, finished ? key : `${key}~part`), time, time);
      }
    },
    async corrupt(digest, how) {
      const path = join(files.root, await fixture.keyOf(digest));
      if (how === 'delete') await rm(path);
      else if (how === 'truncate') await truncate(path, 10);
      else await writeFile(path, 'other bytes', { flag: 'r+' });
    },
    async clear() {
      for (const table of ['slots', 'artefacts', 'blobs', 'blob_writers'] as const)
        await database.db.deleteFrom(table).execute();
      for (const { key } of await listBlobs(store)) await store.delete(key);
    },
    async close() {
      await opened.close();
      await files.remove();
    },
  };
  return fixture;
}
