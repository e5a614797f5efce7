import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { rememberStored } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { startOlderRegistry, type Dialect, type OlderRegistry } from './older-registries.ts';
import { addRemote, bytesOf, documentOf, publish, resultOf, type RemoteClient } from './pair.ts';

const KEY = 'key-of-an-older-registry';
const sha256 = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const tarball = (content: string) =>
  npmTarball({ name: '@acme/plugin', version: '1.0.0', files: { 'index.js': content } });

for (const dialect of ['slots', 'root'] satisfies Dialect[]) {
  const form = dialect === 'slots' ? 'slots without digests' : 'one tarball at the root';
  describe(`a mirror of an older registry with ${form}`, () => {
    let older: OlderRegistry;
    let mirror: TestServer;
    let remote: RemoteClient;
    const id = '@acme/old@1';
    before(async () => {
      older = await startOlderRegistry(dialect, KEY);
      mirror = await startTestServer();
      remote = await addRemote(mirror, older.url, KEY);
    });
    after(async () => {
      await Promise.all([mirror.close(), older.close()]);
    });

    test('has the bytes and dates of the original, and a digest computed here', async () => {
      const file = await tarball('first');
      older.put(id, file);
      assert.equal((await remote.select(id)).lastSyncStatus, 'success');
      const { tarballs, dataUpdatedAt, title, hasNativeModules } = (await documentOf(mirror, id)) as {
        tarballs: Record<string, { digest: string; size: number }>;
        dataUpdatedAt: string;
        title: unknown;
        hasNativeModules: boolean;
      };
      assert.deepEqual(
        [
          Object.keys(tarballs),
          tarballs['noarch']?.digest,
          tarballs['noarch']?.size,
          dataUpdatedAt,
          title,
          hasNativeModules,
        ],
        [['noarch'], sha256(file), file.length, '2026-01-01T00:00:01.000Z', { fr: 'Vieux' }, false],
      );
      assert.deepEqual(await bytesOf(mirror, id), file);
    });

    test('is fetched again only when the dates of the original change', async () => {
      const before = older.downloads;
      assert.equal(resultOf(await remote.sync(), id).status, 'unchanged');
      assert.equal(older.downloads, before);
      const file = await tarball('second');
      older.put(id, file);
      assert.equal(resultOf(await remote.sync(), id).status, 'updated');
      assert.deepEqual([older.downloads - before, await bytesOf(mirror, id)], [1, file]);
    });

    test('has the new bytes when the original changes while it is fetched', async () => {
      const [third, fourth] = [await tarball('third'), await tarball('fourth')];
      older.put(id, third);
      older.onDownload = () => {
        older.onDownload = undefined;
        older.put(id, fourth);
      };
      assert.equal(resultOf(await remote.sync(), id).status, 'updated');
      assert.deepEqual(await bytesOf(mirror, id), fourth);
    });

    test(
      'rejects a tarball over the upload limit: without a request if the document has its size, otherwise ' +
        'before the first byte',
      async () => {
        const small = await startTestServer({ env: { MAX_UPLOAD_BYTES: '100000' } });
        try {
          const smallRemote = await addRemote(small, older.url, KEY);
          older.put(
            'large@1',
            await npmTarball({ name: '@acme/plugin', version: '1.0.0', files: { data: randomBytes(300_000) } }),
          );
          const assertUntouched = await rememberStored(small);
          for (const [sendsSizes, downloads] of [
            [true, 0],
            [false, 1],
          ] as const) {
            older.sendsSizes = sendsSizes;
            const before = older.downloads;
            const {
              status,
              reason = '',
              bytes,
            } = resultOf(
              sendsSizes ? await smallRemote.select('large@1') : await smallRemote.sync('?only=failed'),
              'large@1',
            );
            assert.deepEqual([status, older.downloads - before, bytes], ['failed', downloads, undefined]);
            assert.match(
              reason,
              /^It has 30\d{4} bytes; this registry accepts at most 100000 \(MAX_UPLOAD_BYTES\)\.$/,
            );
            await assertUntouched();
          }
        } finally {
          older.sendsSizes = true;
          await small.close();
        }
      },
    );

    if (dialect === 'slots') {
      test('has a slot per architecture, and fetches only the new one', async () => {
        const before = older.downloads;
        older.put(id, await tarball('for arm'), 'arm64');
        await remote.sync();
        assert.equal(older.downloads - before, 1);
        assert.deepEqual(await bytesOf(mirror, id, 'arm64'), await tarball('for arm'));
      });
    }
  });
}

/** Older registries send `x-api-key`, read fields at the root of the document, and fetch `/download` or `/tarball`. */
describe('an older registry that mirrors this one', () => {
  let upstream: TestServer;
  let key: string;
  before(async () => {
    upstream = await startTestServer();
    key = await upstream.readKey({ type: 'organization', id: 'older' });
  });
  after(async () => {
    await upstream.close();
  });
  const get = (path: string) => fetch(`${upstream.url}/api/v1${path}`, { headers: { 'x-api-key': key } });

  test('finds path, native modules and date at the root of each listed document', async () => {
    await publish(upstream, '@acme/listed@1', '1.0.0', ['noarch', 'x64']);
    const { results, count } = (await (await get('/artefacts?size=1000&skip=0')).json()) as {
      results: Record<string, unknown>[];
      count: number;
    };
    assert.equal(count, results.length);
    const [document = {}] = results.filter(({ _id }) => _id === '@acme/listed@1');
    assert.equal(typeof document['path'], 'string');
    assert.match(document['path'] as string, /^npm\/@acme\/listed@1\/noarch-[0-9a-f]{16}\.tgz$/);
    assert.deepEqual([document['hasNativeModules'], typeof document['dataUpdatedAt']], [false, 'string']);
  });

  test('can fetch /download and /tarball, and sees a new path when bytes have changed', async () => {
    const id = encodeURIComponent('@acme/fetched@1');
    const first = await publish(upstream, '@acme/fetched@1', '1.0.0');
    const paths = [];
    for (const route of ['download', 'tarball?architecture=x64', 'tarball']) {
      const response = await get(`/artefacts/${id}/${route}`);
      assert.deepEqual([response.status, Buffer.from(await response.arrayBuffer())], [200, first]);
    }
    paths.push(((await (await get(`/artefacts/${id}`)).json()) as { path: string }).path);
    await publish(upstream, '@acme/fetched@1', '1.0.1');
    paths.push(((await (await get(`/artefacts/${id}`)).json()) as { path: string }).path);
    assert.equal(new Set(paths).size, 2);
  });
});
