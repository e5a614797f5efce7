// Downloads of files on S3: whether the storage, through a redirect, or the server sends the bytes.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, uploadArtefact } from './documents.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
const FILE = randomBytes(300_000);
const ETAG = `"sha256:${sha256(FILE).toString('hex')}"`;
const TARBALL = await npmTarball();

for (const dialect of DIALECTS) {
  describe(`downloads from S3, with ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({
        dialect,
        storage: 's3',
        env: { S3_REDIRECT: 'true', S3_DOWNLOAD_URL_EXPIRY_SECONDS: '120' },
      });
      await uploadArtefact(server, 'maps/france', {
        format: 'file',
        file: FILE,
        fields: { fileName: `l'été.mbtiles` },
      });
      await uploadArtefact(server, 'plugin', { file: TARBALL });
    });
    after(() => server.close());

    const get = (headers: Record<string, string> = {}, { id = 'maps/france', query = '', method = 'GET' } = {}) =>
      server.api(method, artefactPath(id, `/download${query}`), { headers: { ...server.internal, ...headers } });
    const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

    test('a file is redirected, with the entity tag and digest of the target', async () => {
      const redirect = await get();
      assert.equal(redirect.status, 302);
      assert.equal(redirect.headers.get('etag'), ETAG);
      assert.equal(redirect.headers.get('repr-digest'), `sha-256=:${sha256(FILE).toString('base64')}:`);
      assert.equal(redirect.headers.get('cache-control'), 'no-store');
      const location = new URL(redirect.headers.get('location') ?? '');
      assert.equal(location.origin, server.s3?.env['S3_ENDPOINT']);
      assert.equal(location.searchParams.get('X-Amz-Expires'), '120');
      const response = await fetch(location);
      assert.deepEqual([response.status, response.headers.get('content-type')], [200, 'application/octet-stream']);
      assert.equal(
        response.headers.get('content-disposition'),
        `attachment; filename="l'ete.mbtiles"; filename*=UTF-8''l%27%C3%A9t%C3%A9.mbtiles`,
      );
      assert.ok((await bytesOf(response)).equals(FILE));
    });

    test('a range of a file is redirected too, and the storage serves the range', async () => {
      const redirect = await get({ range: 'bytes=100-199' });
      assert.equal(redirect.status, 302);
      const response = await fetch(redirect.headers.get('location') ?? '', { headers: { range: 'bytes=100-199' } });
      assert.equal(response.status, 206);
      assert.ok((await bytesOf(response)).equals(FILE.subarray(100, 200)));
    });

    for (const [what, headers, query] of [
      ['If-Modified-Since', { 'if-modified-since': 'Mon, 01 Jan 2001 00:00:00 GMT' }, ''],
      ['If-Range', { 'if-range': ETAG, 'range': 'bytes=0-' }, ''],
      ['?redirect=false', {}, '?redirect=false'],
    ] as const) {
      test(`the server sends the file if the request has ${what}`, async () => {
        const response = await get(headers, { query });
        assert.equal(response.status, 'range' in headers ? 206 : 200);
        assert.equal(response.headers.get('etag'), ETAG);
        assert.ok((await bytesOf(response)).equals(FILE));
      });
    }

    test('conditions are evaluated before a redirect', async () => {
      assert.equal((await get({ 'if-none-match': ETAG })).status, 304);
      assert.equal((await get({ 'if-none-match': '"other"' })).status, 302);
      assert.equal((await get({ 'if-modified-since': new Date(Date.now() + 60_000).toUTCString() })).status, 304);
      await readProblem(await get({ range: 'bytes=300000-' }), 416, 'range_not_satisfiable');
      const whole = await get({ 'range': 'bytes=0-9', 'if-range': '"other"' });
      assert.equal(whole.status, 200);
      assert.ok((await bytesOf(whole)).equals(FILE));
    });

    test('the server authorises the download, not the storage', async () => {
      for (const [id, status, code, headers] of [
        ['absent', 404, 'artefact_not_found', server.internal],
        ['maps/france', 404, 'artefact_not_found', {}],
      ] as const) {
        await readProblem(await server.api('GET', artefactPath(id, '/download'), { headers }), status, code);
      }
    });

    test('the server responds to HEAD', async () => {
      const { status, headers } = await get({}, { method: 'HEAD' });
      assert.deepEqual(
        [status, headers.get('content-length'), headers.get('etag'), headers.get('location')],
        [200, '300000', ETAG, null],
      );
    });

    test('the server sends tarballs, on both routes', async () => {
      for (const path of ['/download', '/tarball']) {
        const response = await server.api('GET', artefactPath('plugin', path), { headers: server.internal });
        assert.deepEqual([response.status, response.headers.get('x-artefact-architecture')], [200, 'noarch']);
        assert.ok((await bytesOf(response)).equals(TARBALL));
      }
    });

    test('redirected downloads are counted, once if read in ranges', async () => {
      await uploadArtefact(server, 'counted', { format: 'file', file: FILE });
      for (const headers of [{}, { range: 'bytes=0-99' }, { range: 'bytes=100-' }])
        assert.equal((await get(headers, { id: 'counted' })).status, 302);
      const stats = (await (
        await server.api('GET', '/stats?artefact=counted', { headers: await server.superadmin() })
      ).json()) as { results: { downloads: number; downloadedBytes: number }[] };
      assert.deepEqual(
        stats.results.map(({ downloads, downloadedBytes }) => [downloads, downloadedBytes]),
        [[2, FILE.length + 100]],
      );
    });

    test('S3_REDIRECT=false disables redirects', async (t) => {
      const other = await startTestServer({ dialect, storage: 's3', env: { S3_REDIRECT: 'false' } });
      t.after(() => other.close());
      await uploadArtefact(other, 'raw', { format: 'file', file: FILE });
      const response = await other.api('GET', artefactPath('raw', '/download'), { headers: other.internal });
      assert.equal(response.status, 200);
      assert.ok((await bytesOf(response)).equals(FILE));
    });
  });
}
