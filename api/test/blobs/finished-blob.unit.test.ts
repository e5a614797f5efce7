import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import type { BlobWrite } from '../../src/blobs/index.ts';
import { digestOf } from '../support/digests.ts';
import { DIALECTS } from '../support/test-database.ts';
import { sampleBytes } from './contract/blob-bytes.ts';
import { makeWriteFixture, type WriteFixture } from './write-fixture.ts';

/** Samples of different sizes. */
const [NEW, TWICE, KNOWN, DAMAGED] = [sampleBytes(1000), sampleBytes(2000), sampleBytes(3000), sampleBytes(4000)];

for (const dialect of DIALECTS) {
  describe(`blobs that are adopted together on ${dialect}`, () => {
    let uploads: WriteFixture;

    before(async () => {
      uploads = await makeWriteFixture(dialect);
    });
    afterEach(() => uploads.empty());
    after(() => uploads.close());

    async function finished(...samples: Uint8Array[]): Promise<BlobWrite[]> {
      return Promise.all(
        samples.map(async (bytes) => {
          const upload = await uploads.receive(bytes);
          await upload.finish();
          return upload;
        }),
      );
    }

    const adoptTogether = (all: readonly BlobWrite[]) =>
      uploads.database.transaction(async (tx) => {
        for (const upload of all) await (await upload.finish()).adopt(tx);
      });

    test('are stored once each: new, equal to each other, already known, or repairing damaged ones', async () => {
      await uploads.publish(KNOWN);
      await uploads.publish(DAMAGED);
      await uploads.database.db
        .updateTable('blobs')
        .set({ state: 'damaged' })
        .where('digest', '=', digestOf(DAMAGED))
        .execute();
      const all = await finished(NEW, TWICE, TWICE, KNOWN, DAMAGED);
      await adoptTogether(all);
      for (const upload of all) await (await upload.finish()).settle();
      const rows = await uploads.rows();
      assert.deepEqual(
        rows.map(({ digest, size, state }) => [digest, size, state]).sort(),
        [NEW, TWICE, KNOWN, DAMAGED].map((bytes) => [digestOf(bytes), bytes.length, 'sound']).sort(),
      );
      assert.deepEqual((await uploads.files()).sort(), rows.map((row) => row.storage_key).sort());
      assert.equal(rows.find(({ digest }) => digest === digestOf(DAMAGED))?.storage_key, all[4]?.storageKey);
      assert.deepEqual(await uploads.writers(), []);
    });

    test('are adopted all or none: not if one of them was discarded', async () => {
      const all = await finished(NEW, TWICE);
      await uploads.database.db.deleteFrom('blob_writers').where('storage_key', '=', all[1]!.storageKey).execute();
      await assert.rejects(adoptTogether(all), { code: 'blob_writer_closed' });
      assert.deepEqual(await uploads.rows(), []);
      assert.deepEqual(
        (await uploads.writers()).map((row) => row.storage_key),
        [all[0]?.storageKey],
      );
    });
  });
}
