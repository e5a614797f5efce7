import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { globSync } from 'node:fs';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { startTestServer } from '../support/test-server.ts';
import { artefactPath, patchArtefact, uploadArtefact } from './documents.ts';
import { bytesOf, FILE, FILE_NAME, X64 } from './download-samples.ts';
import { artefactHeaders, digestOf, PREFIX, startNginxDownloads, type NginxDownloads } from './nginx-downloads.ts';

for (const basePath of ['', '/registry']) {
  describe(`a download that nginx sends for Berth at ${basePath || 'the root of a host'}`, () => {
    let downloads: NginxDownloads;
    before(async () => {
      downloads = await startNginxDownloads(basePath);
      for (const [id, form] of [
        ['@acme/native@1', { file: X64, fields: { architecture: 'x64' } }],
        ['maps/france', { format: 'file', file: FILE, fields: { fileName: FILE_NAME } }],
        ['maps/empty', { format: 'file', file: new Uint8Array() }],
        ['maps/lost', { format: 'file', file: randomBytes(1000) }],
        ['maps/short', { format: 'file', file: randomBytes(1001) }],
      ] as const) {
        await uploadArtefact(downloads.server, id, form);
        await patchArtefact(downloads.server, id, { public: true });
      }
    });
    after(async () => {
      assert.equal(await downloads.close(), '');
    });

    test('has the same bytes and headers as one that Berth sends', async () => {
      for (const [id, rest, bytes] of [
        ['@acme/native@1', '/tarball?architecture=x64', X64],
        ['@acme/native@1', '/download', X64],
        ['maps/france', '/download', FILE],
        ['maps/empty', '/download', Buffer.alloc(0)],
      ] as const) {
        const [sent, direct] = [await downloads.get(id, rest), await downloads.getDirectly(id, rest)];
        assert.equal(sent.status, 200);
        assert.deepEqual(artefactHeaders(sent), artefactHeaders(direct));
        assert.ok(sent.headers.has('x-request-id'));
        assert.deepEqual(await bytesOf(sent), bytes);
        assert.deepEqual(await bytesOf(direct), bytes);
      }
    });

    test('leaves Berth as a storage key for nginx, without the bytes', async () => {
      const response = await downloads.getAsNginx('maps/france', '/download');
      assert.deepEqual(
        [response.status, response.headers.get('x-accel-redirect'), (await bytesOf(response)).length],
        [200, PREFIX + (await downloads.storageKeyOf(FILE)), 0],
      );
      assert.equal(response.headers.get('content-length'), '0');
      assert.equal(response.headers.get('etag'), `"${digestOf(FILE)}"`);
    });

    test('is sent by Berth if the request does not come through a trusted proxy, with any headers', async () => {
      for (const headers of [
        {},
        { 'x-accel-redirect': `${PREFIX}x` },
        { 'x-forwarded-host': 'registry.example.org' },
      ]) {
        const response = await downloads.getDirectly('maps/france', '/download', { ...headers });
        assert.equal(response.headers.get('x-accel-redirect'), null);
        assert.deepEqual(await bytesOf(response), FILE);
      }
    });

    test('has the same headers for HEAD, and no bytes', async () => {
      const [head, direct] = [
        await downloads.get('maps/france', '/download', {}, 'HEAD'),
        await downloads.getDirectly('maps/france', '/download', {}, 'HEAD'),
      ];
      assert.deepEqual([head.status, artefactHeaders(head)], [200, artefactHeaders(direct)]);
      assert.equal((await bytesOf(head)).length, 0);
    });

    test('is refused to callers without the right to download', async () => {
      await readProblem(
        await fetch(`${downloads.nginxUrl}${basePath}/api/v1${artefactPath('maps/france', '/download')}`),
        401,
        'unauthenticated',
      );
      await readProblem(
        await downloads.get('maps/france', '/download', { 'x-api-key': 'reg_aaaaaaaa_bad' }),
        401,
        'api_key_invalid',
      );
      await uploadArtefact(downloads.server, 'private', { file: X64 });
      await readProblem(await downloads.get('private', '/tarball?architecture=noarch'), 404, 'artefact_not_found');
    });

    test('is not available at the internal location, in any spelling of its path', async () => {
      const storageKey = await downloads.storageKeyOf(FILE);
      for (const path of [
        PREFIX,
        PREFIX.replace('i', '%69'),
        ...(basePath === '' ? [`/${PREFIX}`] : []),
        `${basePath}/api/..${basePath === '' ? '' : '/..'}${PREFIX}`,
        `${basePath}${PREFIX}`,
        `/x/..${PREFIX}`,
        `/x/%2e%2e${PREFIX}`,
      ]) {
        const connection = await openConnection(downloads.nginxUrl);
        await connection.send(
          requestHead('GET', path + storageKey, {
            'x-api-key': downloads.key,
            'x-accel-redirect': PREFIX + storageKey,
            'x-accel-mapping': `/=${PREFIX}`,
            'x-sendfile-type': 'X-Accel-Redirect',
          }),
        );
        assert.equal((await connection.answer()).status, 404, path);
        connection.end();
      }
    });

    test('is the requested one, whatever X-Accel headers the client sends', async () => {
      const headers = {
        'x-accel-redirect': PREFIX + (await downloads.storageKeyOf(X64)),
        'x-accel-mapping': `/=${PREFIX}`,
        'x-accel-expires': '1',
        'x-forwarded-for': '127.0.0.1',
      };
      const response = await downloads.get('maps/france', '/download', headers);
      assert.equal(response.headers.get('x-accel-redirect'), null);
      assert.deepEqual(await bytesOf(response), FILE);
    });

    test('is counted once, by the first of its ranges', async () => {
      const counted = async () => {
        const response = await downloads.server.api('GET', '/stats?artefact=counted', {
          headers: await downloads.server.superadmin(),
        });
        const {
          results: [day],
        } = (await response.json()) as { results: { downloads: number; downloadedBytes: number }[] };
        return [day?.downloads, day?.downloadedBytes];
      };
      await uploadArtefact(downloads.server, 'counted', { format: 'file', file: FILE });
      await patchArtefact(downloads.server, 'counted', { public: true });
      await bytesOf(await downloads.get('counted', '/download'));
      assert.deepEqual(await counted(), [1, 300_000]);
      for (const range of ['bytes=0-99', 'bytes=100-199'])
        await bytesOf(await downloads.get('counted', '/download', { range }));
      assert.deepEqual(await counted(), [2, 300_100]);
    });

    test('reports lost and truncated bytes', async () => {
      const blobPathOf = async (id: string) =>
        join(
          downloads.blobsDirectory,
          (await downloads.getAsNginx(id, '/download')).headers.get('x-accel-redirect')?.slice(PREFIX.length) ?? '',
        );
      const [lost, short] = [await blobPathOf('maps/lost'), await blobPathOf('maps/short')];
      assert.equal(
        globSync(`${downloads.blobsDirectory}/*/*`).filter((path) => path === lost || path === short).length,
        2,
      );
      await rm(lost);
      await truncate(short, 1000);
      for (const id of ['maps/lost', 'maps/short'])
        await readProblem(await downloads.get(id, '/download'), 500, 'blob_missing');
    });
  });
}

describe('a download from S3', () => {
  test('is never handed over to nginx, which cannot read it', async () => {
    const server = await startTestServer({ storage: 's3', env: { ACCEL_REDIRECT_PREFIX: PREFIX } });
    try {
      await uploadArtefact(server, 'maps/france', { format: 'file', file: FILE });
      await patchArtefact(server, 'maps/france', { public: true });
      const key = await server.readKey({ type: 'organization', id: 'acme' });
      const response = await server.api('GET', artefactPath('maps/france', '/download'), {
        headers: { 'x-api-key': key, 'x-forwarded-for': '192.0.2.7', 'x-forwarded-host': 'registry.example.org' },
      });
      assert.equal(response.headers.get('x-accel-redirect'), null);
      assert.deepEqual(await bytesOf(response), FILE);
    } finally {
      await server.close();
    }
  });
});
