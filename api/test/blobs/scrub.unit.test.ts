import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { createScrub, type ScrubProgress } from '../../src/blobs/scrub.ts';
import { StorageUnavailableError } from '../../src/blobs/errors.ts';
import { digestOf } from '../support/digests.ts';
import { DIALECTS } from '../support/test-database.ts';
import { readBlob, sampleBytes } from './contract/blob-bytes.ts';
import { openStorage, type StorageFixture } from './storage-fixture.ts';

const BYTES = sampleBytes(5_000);
const OTHER = sampleBytes(3_000_000);
const NOTHING = { damagedBlobs: 0, missingBlobs: 0, recoveredBlobs: 0, damaged: [], missing: [] };

for (const dialect of DIALECTS) {
  describe(`a scrub on ${dialect}`, () => {
    let storage: StorageFixture;

    before(async () => {
      storage = await openStorage(dialect);
    });
    afterEach(() => storage.clear());
    after(() => storage.close());

    const stateOf = async (digest: string) => (await storage.rows()).find((row) => row.digest === digest)?.state;

    test('finds nothing when all blobs are intact', async () => {
      await storage.publish(BYTES, 'one');
      await storage.publish(OTHER, 'other');
      await storage.publish(Buffer.alloc(0), 'empty');
      assert.deepEqual(await storage.scrub(), {
        ...NOTHING,
        checkedBlobs: 3,
        checkedBytes: BYTES.length + OTHER.length,
      });
    });

    for (const [how, damage, reason, state] of [
      ['overwrite', 'overwritten', 'digest', 'damaged'],
      ['truncate', 'truncated', 'size', 'damaged'],
      ['delete', 'deleted', 'gone', 'missing'],
    ] as const) {
      test(`finds a blob whose file was ${damage}, and names its artefacts`, async () => {
        const digest = await storage.publish(BYTES, 'first');
        await storage.publish(BYTES, 'second');
        await storage.publish(OTHER, 'sound');
        await storage.corrupt(digest, how);
        const found = await storage.scrub();
        const finding = {
          digest,
          reason,
          artefacts: [
            { id: 'first', architecture: '' },
            { id: 'second', architecture: '' },
          ],
        };
        assert.deepEqual([found.damaged, found.missing], state === 'damaged' ? [[finding], []] : [[], [finding]]);
        assert.deepEqual([found.damagedBlobs, found.missingBlobs], state === 'damaged' ? [1, 0] : [0, 1]);
        assert.deepEqual([await stateOf(digest), await stateOf(digestOf(OTHER))], [state, 'sound']);
      });

      test(`finds nothing after an upload of the same bytes has replaced a ${damage} file`, async () => {
        const digest = await storage.publish(BYTES, 'first');
        const key = await storage.keyOf(digest);
        await storage.corrupt(digest, how);
        await storage.scrub();
        await storage.publish(BYTES, 'second');
        assert.notEqual(await storage.keyOf(digest), key);
        assert.deepEqual(await readBlob(storage.store, await storage.keyOf(digest)), BYTES);
        assert.deepEqual(await storage.files(), [await storage.keyOf(digest)]);
        assert.deepEqual(await storage.scrub(), { ...NOTHING, checkedBlobs: 1, checkedBytes: BYTES.length });
      });
    }

    test('finds a missing blob intact again when the operator has restored its file', async () => {
      const digest = await storage.publish(BYTES, 'lost');
      await storage.database.db.updateTable('blobs').set({ state: 'missing' }).execute();
      assert.deepEqual(await storage.scrub(), {
        ...NOTHING,
        checkedBlobs: 1,
        checkedBytes: BYTES.length,
        recoveredBlobs: 1,
      });
      assert.equal(await stateOf(digest), 'sound');
    });

    test('marks a blob that the storage cannot read as damaged, and continues', async () => {
      const digest = await storage.publish(BYTES, 'bad-sector');
      await storage.publish(OTHER, 'sound');
      const bad = await storage.keyOf(digest);
      const { store } = storage;
      const failing = Object.assign(Object.create(store) as typeof store, {
        check: () => store.check(),
        stat: (key: string) => store.stat(key),
        send: (key: string, ...rest: [undefined, (chunk: Uint8Array) => Promise<void>]) =>
          key === bad ? Promise.reject(new StorageUnavailableError('EIO')) : store.send(key, ...rest),
      });
      const found = await createScrub({ database: storage.database, store: failing })();
      assert.deepEqual(found.damaged, [
        { digest, reason: 'unreadable', artefacts: [{ id: 'bad-sector', architecture: '' }] },
      ]);
      assert.equal(found.checkedBlobs, 2);
    });

    test('fails when the storage is unavailable, and marks nothing', async () => {
      const digest = await storage.publish(BYTES, 'fine');
      const away = () => Promise.reject(new StorageUnavailableError('away'));
      const { store } = storage;
      const failing = Object.assign(Object.create(store) as typeof store, { check: away, stat: away, send: away });
      await assert.rejects(createScrub({ database: storage.database, store: failing })(), {
        code: 'storage_unavailable',
      });
      assert.equal(await stateOf(digest), 'sound');
    });

    test('reports no finding for a blob that was repaired while it was read', async () => {
      const digest = await storage.publish(BYTES, 'repaired');
      await storage.corrupt(digest, 'truncate');
      const { store } = storage;
      let repaired: Promise<unknown> | undefined;
      const slow = Object.assign(Object.create(store) as typeof store, {
        stat: async (key: string) => {
          const stat = await store.stat(key);
          await (repaired ??= storage.publish(BYTES, 'again'));
          return stat;
        },
        send: store.send.bind(store),
      });
      assert.deepEqual(await createScrub({ database: storage.database, store: slow })(), {
        ...NOTHING,
        checkedBlobs: 1,
        checkedBytes: BYTES.length,
      });
      assert.equal(await stateOf(digest), 'sound');
    });

    test('does not count a blob that was swept while it was read', async () => {
      const digest = await storage.publish(BYTES);
      await storage.corrupt(digest, 'delete');
      const { store } = storage;
      const swept = Object.assign(Object.create(store) as typeof store, {
        stat: async (key: string) => {
          await storage.database.db.deleteFrom('blobs').execute();
          return store.stat(key);
        },
      });
      assert.deepEqual(await createScrub({ database: storage.database, store: swept })(), {
        ...NOTHING,
        checkedBlobs: 0,
        checkedBytes: 0,
      });
    });

    test('resumes where it was interrupted, with its findings', async () => {
      const all = await Promise.all(
        Array.from({ length: 70 }, (_, n) => storage.publish(sampleBytes(100 + n), `a${n}`)),
      );
      const first = [...all].sort()[0]!;
      await storage.corrupt(first, 'delete');
      const stop = new AbortController();
      let lastProgress: ScrubProgress | undefined;
      await assert.rejects(
        storage.scrub({
          signal: stop.signal,
          onProgress: (progress) => {
            lastProgress = progress;
            stop.abort(new Error('stopped'));
          },
        }),
        /stopped/,
      );
      assert.equal(lastProgress?.checkedBlobs, 32);
      // Blobs before the cursor are not checked again.
      await storage.publish(sampleBytes(100 + all.indexOf(first)), 'repaired');
      const found = await storage.scrub({ from: JSON.parse(JSON.stringify(lastProgress)) as ScrubProgress });
      assert.deepEqual(
        [found.checkedBlobs, found.missingBlobs, found.missing.map(({ digest }) => digest)],
        [70, 1, [first]],
      );
    });

    test('respects its rate limit', async () => {
      await storage.publish(OTHER, 'large');
      const startedAt = performance.now();
      await createScrub({ database: storage.database, store: storage.store, bytesPerSecond: OTHER.length * 5 })();
      assert.ok(performance.now() - startedAt >= 199);
    });
  });
}
