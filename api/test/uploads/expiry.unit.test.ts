import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Actor } from '../../src/access/index.ts';
import { createArtefacts } from '../../src/artefacts/index.ts';
import { createBlobs, type BlobStore } from '../../src/blobs/index.ts';
import { createTarballScanners } from '../../src/tarballs/index.ts';
import { createTusUploadService, type TusUploadService } from '../../src/uploads/service.ts';
import { listBlobs } from '../blobs/contract/blob-bytes.ts';
import { makeFsStore, type FsStoreFixture } from '../blobs/fs-fixture.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const ACTOR: Actor = { caller: { kind: 'internal' }, ip: '127.0.0.1', requestId: 'r' };
const BYTES = Buffer.from('ten bytes!');

for (const dialect of DIALECTS) {
  describe(`expired uploads on ${dialect}`, () => {
    let opened: TestDatabase;
    let fixture: FsStoreFixture;
    let store: BlobStore;
    let uploads: TusUploadService;
    let close: () => Promise<unknown>;
    before(async () => {
      opened = await openTestDatabase(dialect);
      fixture = await makeFsStore();
      store = fixture.open();
      const { database } = opened;
      const onError = (error: unknown) => {
        throw error;
      };
      const limits = { maxUploadBytes: 1000, maxUnpackedBytes: 1000, maxTarEntries: 10 };
      const scanners = createTarballScanners();
      const artefacts = createArtefacts({
        database,
        blobs: createBlobs({ database, store }),
        scanners,
        limits,
        categories: ['other'],
        onError,
      });
      uploads = createTusUploadService({
        database,
        publishing: artefacts.publishing,
        freeBytes: () => Promise.resolve(undefined),
        onError,
      });
      close = async () => {
        await uploads.close();
        await artefacts.counts.close();
      };
    });
    after(async () => {
      await close();
      await opened.close();
      await fixture.remove();
    });

    async function create(id: string): Promise<void> {
      const claim = await uploads.create(ACTOR, {
        id,
        target: { id, format: 'file' },
        fields: {},
        sizeBytes: BYTES.length,
      });
      if (id === 'published')
        await uploads.append(ACTOR, await uploads.inspect(ACTOR, claim), claim, (write) => write(BYTES));
      await claim.release();
    }
    const expireAll = () =>
      opened.database.db.updateTable('resumable_uploads').set({ expires_at: '2020-01-01T00:00:00.000Z' }).execute();
    const ids = async () =>
      (await opened.database.db.selectFrom('resumable_uploads').select('id').execute()).map(({ id }) => id);

    test('are removed with their bytes and writers, except for published artefacts', async () => {
      for (const id of ['unfinished', 'published']) await create(id);
      assert.equal(await uploads.expire(), 0);
      await expireAll();
      await create('recent');
      assert.equal(await uploads.expire(), 2);
      assert.deepEqual(await ids(), ['recent']);
      const [blob] = await opened.database.db.selectFrom('blobs').select('storage_key').execute();
      const [writer, ...others] = await opened.database.db.selectFrom('blob_writers').select('storage_key').execute();
      assert.deepEqual(others, []);
      assert.deepEqual(
        (await listBlobs(store)).map(({ key }) => key).sort(),
        [blob?.storage_key, writer?.storage_key].sort(),
      );
      await expireAll();
      assert.equal(await uploads.expire(), 1);
      assert.deepEqual(
        (await listBlobs(store)).map(({ key }) => key),
        [blob?.storage_key],
      );
    });

    test('are protected from sweeps until they expire', async () => {
      await create('kept');
      const { heartbeat_at } = await opened.database.db
        .selectFrom('blob_writers')
        .select('heartbeat_at')
        .executeTakeFirstOrThrow();
      assert.ok(Date.parse(heartbeat_at) > Date.now() + 23 * 3_600_000);
    });
  });
}
