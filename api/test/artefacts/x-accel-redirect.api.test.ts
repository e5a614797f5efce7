import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { globSync } from 'node:fs';
import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startExampleNginx, type ExampleNginx } from '../support/nginx-example.ts';
import { readProblem } from '../support/problems.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, patched, uploaded } from './documents.ts';

const PREFIX = '/internal-blobs/';
const FILE = randomBytes(300_000);
const FILE_NAME = `l'été (1)*.mbtiles`;
const X64 = await npmTarball({ version: '2.0.0', files: { 'node_modules/n/n.node': randomBytes(5000) } });
/** Headers of one connection, not of what is sent. */
const OF_CONNECTION = ['date', 'connection', 'keep-alive', 'x-request-id', 'server'];

const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
const headersOf = ({ headers }: Response) =>
  Object.fromEntries([...headers].filter(([name]) => !OF_CONNECTION.includes(name)));

for (const basePath of ['', '/registry']) {
  describe(`a download that nginx sends for Berth at ${basePath || 'the root of a host'}`, () => {
    let server: TestServer;
    let nginx: ExampleNginx;
    let key: string;
    let blobs: string;
    before(async () => {
      server = await startTestServer({
        env: { ACCEL_REDIRECT_PREFIX: PREFIX, PUBLIC_URL: `http://localhost${basePath}` },
      });
      blobs = join(server.dataDir, 'blobs');
      nginx = await startExampleNginx({
        upstreams: [server.url],
        blobsDirectory: blobs,
        ...(basePath !== '' && { changes: { 'location / {': `location ${basePath}/ {` } }),
      });
      key = await server.readKey({ type: 'organization', id: 'acme' });
      for (const [id, form] of [
        ['@acme/native@1', { file: X64, fields: { architecture: 'x64' } }],
        ['maps/france', { format: 'file', file: FILE, fields: { fileName: FILE_NAME } }],
        ['maps/empty', { format: 'file', file: new Uint8Array() }],
        ['maps/lost', { format: 'file', file: randomBytes(1000) }],
        ['maps/short', { format: 'file', file: randomBytes(1001) }],
      ] as const) {
        await uploaded(server, id, form);
        await patched(server, id, { public: true });
      }
    });
    after(async () => {
      const complaints = await nginx.close();
      await server.close();
      assert.equal(complaints, '');
    });

    /** As a client reaches Berth from outside, over nginx. */
    const get = (id: string, rest: string, headers: Record<string, string> = {}, method = 'GET') =>
      fetch(`${nginx.url}${basePath}/api/v1${artefactPath(id, rest)}`, {
        method,
        headers: { 'x-api-key': key, ...headers },
      });
    /** As another service does, which talks to Berth itself. */
    const getDirectly = (id: string, rest: string, headers: Record<string, string> = {}, method = 'GET') =>
      server.api(method, artefactPath(id, rest), { headers: { 'x-api-key': key, ...headers } });
    /** As nginx does. */
    const getAsNginx = (id: string, rest: string, headers: Record<string, string> = {}) =>
      getDirectly(id, rest, {
        'x-forwarded-for': '192.0.2.7',
        'x-forwarded-host': 'registry.example.org',
        ...headers,
      });
    const storageKeyOf = async (bytes: Uint8Array) => {
      const [row] = await query<{ key: string }>(
        server,
        `select storage_key as key from blobs where digest = '${digestOf(bytes)}'`,
      );
      return row?.key ?? '';
    };

    test('comes with its bytes and every header that Berth itself sends', async () => {
      for (const [id, rest, bytes] of [
        ['@acme/native@1', '/tarball?architecture=x64', X64],
        ['@acme/native@1', '/download', X64],
        ['maps/france', '/download', FILE],
        ['maps/empty', '/download', Buffer.alloc(0)],
      ] as const) {
        const [sent, direct] = [await get(id, rest), await getDirectly(id, rest)];
        assert.equal(sent.status, 200);
        assert.deepEqual(headersOf(sent), headersOf(direct));
        assert.ok(sent.headers.has('x-request-id'));
        assert.deepEqual(await bytesOf(sent), bytes);
        assert.deepEqual(await bytesOf(direct), bytes);
      }
    });

    test('leaves Berth as a name for nginx alone, without the bytes', async () => {
      const response = await getAsNginx('maps/france', '/download');
      assert.deepEqual(
        [response.status, response.headers.get('x-accel-redirect'), (await bytesOf(response)).length],
        [200, PREFIX + (await storageKeyOf(FILE)), 0],
      );
      assert.equal(response.headers.get('content-length'), '0');
      assert.equal(response.headers.get('etag'), `"${digestOf(FILE)}"`);
    });

    test('is sent by Berth to who does not come through a trusted proxy, whatever he says', async () => {
      for (const headers of [
        {},
        { 'x-accel-redirect': `${PREFIX}x` },
        { 'x-forwarded-host': 'registry.example.org' },
      ]) {
        const response = await getDirectly('maps/france', '/download', { ...headers });
        assert.equal(response.headers.get('x-accel-redirect'), null);
        assert.deepEqual(await bytesOf(response), FILE);
      }
    });

    for (const [range, start, end] of [
      ['bytes=0-0', 0, 0],
      ['bytes=0-', 0, 299_999],
      ['bytes=299999-', 299_999, 299_999],
      ['bytes=-1', 299_999, 299_999],
      ['bytes=100-199', 100, 199],
      ['bytes=100000-999999999', 100_000, 299_999],
      ['bytes=-999999', 0, 299_999],
    ] as const) {
      test(`of ${range} is that part, as Berth itself sends it`, async () => {
        const [sent, direct] = [
          await get('maps/france', '/download', { range }),
          await getDirectly('maps/france', '/download', { range }),
        ];
        assert.equal(sent.status, 206);
        assert.deepEqual(await bytesOf(sent), FILE.subarray(start, end + 1));
        // RFC 9110 (15.3.7) asks for it only with 200.
        const expected = Object.entries(headersOf(direct)).filter(([name]) => name !== 'accept-ranges');
        assert.deepEqual(headersOf(sent), Object.fromEntries(expected));
        await direct.arrayBuffer();
      });
    }

    test('of several ranges or none that make sense is the whole', async () => {
      for (const range of ['bytes=0-1,5-6', 'items=0-1', 'bytes=5-1', 'nonsense', 'bytes = 5-1']) {
        const response = await get('maps/france', '/download', { range });
        assert.deepEqual([response.status, response.headers.get('content-range')], [200, null], range);
        assert.deepEqual(await bytesOf(response), FILE);
      }
    });

    test('of bytes beyond the end is refused by Berth with the size', async () => {
      const response = await get('maps/france', '/download', { range: 'bytes=300000-' });
      assert.equal(response.headers.get('content-range'), 'bytes */300000');
      await readProblem(response, 416, 'range_not_satisfiable');
    });

    test('resumes only what If-Range names, by entity tag or date', async () => {
      const { headers } = await get('maps/france', '/download', {}, 'HEAD');
      for (const ifRange of [headers.get('etag') ?? '', headers.get('last-modified') ?? '']) {
        const response = await get('maps/france', '/download', { 'range': 'bytes=5-9', 'if-range': ifRange });
        assert.equal(response.status, 206, ifRange);
        assert.deepEqual(await bytesOf(response), FILE.subarray(5, 10));
      }
      for (const ifRange of ['"other"', `W/${headers.get('etag')}`, 'Sun, 06 Nov 1994 08:49:37 GMT']) {
        const response = await get('maps/france', '/download', { 'range': 'bytes=5-9', 'if-range': ifRange });
        assert.equal(response.status, 200, ifRange);
        assert.deepEqual(await bytesOf(response), FILE);
      }
    });

    test('is spared to who holds the bytes, by the tag and the date of the artefact and not of a file', async () => {
      const whole = await getDirectly('@acme/native@1', '/download', {}, 'HEAD');
      const [etag, lastModified] = [whole.headers.get('etag') ?? '', whole.headers.get('last-modified') ?? ''];
      for (const headers of [
        { 'if-none-match': etag },
        { 'if-modified-since': lastModified },
        { 'if-none-match': etag, 'range': 'bytes=0-4' },
      ]) {
        const [sent, direct] = [
          await get('@acme/native@1', '/download', { ...headers }),
          await getDirectly('@acme/native@1', '/download', { ...headers }),
        ];
        assert.equal(sent.status, 304);
        assert.deepEqual(headersOf(sent), headersOf(direct));
      }
      const later = new Date(Date.parse(lastModified) + 86_400_000).toUTCString();
      const earlier = new Date(Date.parse(lastModified) - 1000).toUTCString();
      for (const headers of [
        { 'if-none-match': '"other"' },
        { 'if-modified-since': earlier },
        { 'if-none-match': '"other"', 'if-modified-since': later },
      ]) {
        const response = await get('@acme/native@1', '/download', { ...headers });
        assert.equal(response.status, 200, JSON.stringify(headers));
        assert.deepEqual(await bytesOf(response), X64);
      }
    });

    test('does not fail by conditions that only nginx knows', async () => {
      for (const headers of [
        { 'if-match': `"${digestOf(FILE)}"` },
        { 'if-match': '"other"' },
        { 'if-unmodified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' },
      ]) {
        const response = await get('maps/france', '/download', { ...headers });
        assert.equal(response.status, 200);
        assert.deepEqual(await bytesOf(response), FILE);
      }
    });

    test('is told by HEAD with every header and no bytes', async () => {
      const [head, direct] = [
        await get('maps/france', '/download', {}, 'HEAD'),
        await getDirectly('maps/france', '/download', {}, 'HEAD'),
      ];
      assert.deepEqual([head.status, headersOf(head)], [200, headersOf(direct)]);
      assert.equal((await bytesOf(head)).length, 0);
    });

    test('is for those alone who may have it', async () => {
      await readProblem(
        await fetch(`${nginx.url}${basePath}/api/v1${artefactPath('maps/france', '/download')}`),
        401,
        'unauthenticated',
      );
      await readProblem(
        await get('maps/france', '/download', { 'x-api-key': 'reg_aaaaaaaa_bad' }),
        401,
        'api_key_invalid',
      );
      await uploaded(server, 'private', { file: X64 });
      await readProblem(await get('private', '/tarball?architecture=noarch'), 404, 'artefact_not_found');
    });

    test('is not to be had by the internal location, however its path is written', async () => {
      const storageKey = await storageKeyOf(FILE);
      for (const path of [
        PREFIX,
        PREFIX.replace('i', '%69'),
        ...(basePath === '' ? [`/${PREFIX}`] : []),
        `${basePath}/api/..${basePath === '' ? '' : '/..'}${PREFIX}`,
        `${basePath}${PREFIX}`,
        `/x/..${PREFIX}`,
        `/x/%2e%2e${PREFIX}`,
      ]) {
        const connection = await openConnection(nginx.url);
        await connection.send(
          requestHead('GET', path + storageKey, {
            'x-api-key': key,
            'x-accel-redirect': PREFIX + storageKey,
            'x-accel-mapping': `/=${PREFIX}`,
            'x-sendfile-type': 'X-Accel-Redirect',
          }),
        );
        assert.equal((await connection.answer()).status, 404, path);
        connection.end();
      }
    });

    test('is the one that the address names, whatever the client writes into the headers of nginx', async () => {
      const headers = {
        'x-accel-redirect': PREFIX + (await storageKeyOf(X64)),
        'x-accel-mapping': `/=${PREFIX}`,
        'x-accel-expires': '1',
        'x-forwarded-for': '127.0.0.1',
      };
      const response = await get('maps/france', '/download', headers);
      assert.equal(response.headers.get('x-accel-redirect'), null);
      assert.deepEqual(await bytesOf(response), FILE);
    });

    test('is counted once, and in pieces by the first', async () => {
      const counted = async () => {
        const response = await server.api('GET', '/stats?artefact=counted', { headers: await server.superadmin() });
        const {
          results: [day],
        } = (await response.json()) as { results: { downloads: number; downloadedBytes: number }[] };
        return [day?.downloads, day?.downloadedBytes];
      };
      await uploaded(server, 'counted', { format: 'file', file: FILE });
      await patched(server, 'counted', { public: true });
      await bytesOf(await get('counted', '/download'));
      assert.deepEqual(await counted(), [1, 300_000]);
      for (const range of ['bytes=0-99', 'bytes=100-199']) await bytesOf(await get('counted', '/download', { range }));
      assert.deepEqual(await counted(), [2, 300_100]);
    });

    test('of bytes that are lost, or of which some are, says so', async () => {
      const fileOf = async (id: string) =>
        join(blobs, (await getAsNginx(id, '/download')).headers.get('x-accel-redirect')?.slice(PREFIX.length) ?? '');
      const [lost, short] = [await fileOf('maps/lost'), await fileOf('maps/short')];
      assert.equal(globSync(`${blobs}/*/*`).filter((path) => path === lost || path === short).length, 2);
      await rm(lost);
      await truncate(short, 1000);
      for (const id of ['maps/lost', 'maps/short']) await readProblem(await get(id, '/download'), 500, 'blob_missing');
    });
  });
}

describe('a download from S3', () => {
  test('is handed over to no nginx, which could not read it', async () => {
    const server = await startTestServer({ storage: 's3', env: { ACCEL_REDIRECT_PREFIX: PREFIX } });
    try {
      await uploaded(server, 'maps/france', { format: 'file', file: FILE });
      await patched(server, 'maps/france', { public: true });
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
