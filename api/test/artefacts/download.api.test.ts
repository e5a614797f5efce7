import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openFiles } from '../blobs/fs-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { readProblem } from '../support/problems.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, storageOf, type TestServer } from '../support/test-server.ts';
import { artefactPath, readDocument, uploaded } from './documents.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();
const NOARCH = await npmTarball({ version: '1.0.0' });
const X64 = await npmTarball({ version: '2.0.0', files: { 'node_modules/n/n.node': randomBytes(5000) } });
const FILE = randomBytes(300_000);
const FILE_NAME = `l'été (1)*.mbtiles`;

for (const dialect of DIALECTS) {
  describe(`a download on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
      await uploaded(server, '@acme/both@1', { file: NOARCH });
      await uploaded(server, '@acme/both@1', { file: X64, fields: { architecture: 'x64' } });
      await uploaded(server, 'native', { file: NOARCH, fields: { architecture: 'arm64' } });
      await uploaded(server, 'native', { file: X64, fields: { architecture: 'x64' } });
      await uploaded(server, 'maps/france', { format: 'file', file: FILE, fields: { fileName: FILE_NAME } });
      await uploaded(server, 'maps/empty', { format: 'file', file: new Uint8Array() });
    });
    after(() => server.close());

    const get = (id: string, rest: string, headers: Record<string, string> = {}, method = 'GET') =>
      server.api(method, artefactPath(id, rest), { headers: { ...server.internal, ...headers } });
    const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
    const headersOf = ({ headers }: Response, ...names: string[]) =>
      Object.fromEntries(names.map((name) => [name, headers.get(name)]));

    test('of a tarball carries the bytes and all that clients read', async () => {
      const response = await get('@acme/both@1', '/tarball?architecture=x64');
      assert.equal(response.status, 200);
      assert.deepEqual(await bytesOf(response), X64);
      const { dataUpdatedAt } = await readDocument(server, '@acme/both@1');
      const {
        date,
        connection,
        'keep-alive': keepAlive,
        'x-request-id': requestId,
        'last-modified': lastModified,
        vary,
        ...headers
      } = Object.fromEntries(response.headers);
      assert.deepEqual(headers, {
        'etag': `"sha256:${sha256(X64).toString('hex')}"`,
        'accept-ranges': 'bytes',
        'cache-control': 'no-cache',
        'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'referrer-policy': 'no-referrer',
        'content-type': 'application/gzip',
        'content-length': String(X64.length),
        'content-disposition': `attachment; filename*=UTF-8''%40acme-both%401-x64.tgz`,
        'repr-digest': `sha-256=:${sha256(X64).toString('base64')}:`,
        'x-artefact-architecture': 'x64',
        'x-artefact-version': '2.0.0',
        'x-artefact-has-native-modules': 'true',
      });
      assert.ok([date, connection, keepAlive, requestId, lastModified, vary].every((value) => value !== undefined));
      assert.ok(Date.parse(lastModified ?? '') >= Math.floor(Date.parse(dataUpdatedAt) / 1000) * 1000);
    });

    test('of a file carries its bytes, its name and no headers of tarballs', async () => {
      const response = await get('maps/france', '/download');
      assert.deepEqual(await bytesOf(response), FILE);
      assert.deepEqual(
        headersOf(
          response,
          'etag',
          'content-type',
          'content-length',
          'content-disposition',
          'repr-digest',
          'x-artefact-architecture',
          'x-artefact-version',
          'x-artefact-has-native-modules',
        ),
        {
          'etag': `"sha256:${sha256(FILE).toString('hex')}"`,
          'content-type': 'application/octet-stream',
          'content-length': '300000',
          'content-disposition': `attachment; filename*=UTF-8''l%27%C3%A9t%C3%A9%20%281%29%2A.mbtiles`,
          'repr-digest': `sha-256=:${sha256(FILE).toString('base64')}:`,
          'x-artefact-architecture': null,
          'x-artefact-version': null,
          'x-artefact-has-native-modules': null,
        },
      );
    });

    for (const [id, rest, architecture] of [
      ['@acme/both@1', '/tarball', 'noarch'],
      ['@acme/both@1', '/tarball?architecture=x64', 'x64'],
      ['@acme/both@1', '/tarball?architecture=noarch', 'noarch'],
      ['@acme/both@1', '/tarball?architecture=riscv64', 'noarch'],
      ['@acme/both@1', '/download', 'noarch'],
      ['@acme/both@1', '/download?architecture=x64', 'x64'],
      ['@acme/both@1', '/download?architecture=riscv64', 'noarch'],
      ['native', '/tarball?architecture=arm64', 'arm64'],
      ['native', '/download', 'x64'],
      ['native', '/download?architecture=riscv64', 'x64'],
      ['native', '/download?architecture=arm64', 'arm64'],
    ] as const) {
      test(`of ${id}${rest} serves the slot ${architecture}`, async () => {
        const response = await get(id, rest);
        assert.equal(response.headers.get('x-artefact-architecture'), architecture);
        const expected = architecture === 'x64' ? X64 : NOARCH;
        assert.deepEqual(await bytesOf(response), expected);
        assert.deepEqual(headersOf(response, 'x-artefact-version', 'x-artefact-has-native-modules'), {
          'x-artefact-version': expected === X64 ? '2.0.0' : '1.0.0',
          'x-artefact-has-native-modules': String(expected === X64),
        });
      });
    }

    test('finds no tarball where only /download falls back', async () => {
      for (const rest of ['/tarball', '/tarball?architecture=riscv64', '/tarball?architecture=noarch']) {
        const { detail } = await readProblem(await get('native', rest), 404, 'slot_not_found');
        assert.match(detail, /arm64, x64/);
      }
    });

    test('is refused with a wrong architecture, and as a tarball of a file', async () => {
      for (const rest of ['/tarball?architecture=X64', '/download?architecture=', '/tarball?architecture=..%2Fx64'])
        await readProblem(await get('native', rest), 400, 'architecture_invalid');
      await readProblem(await get('native', '/tarball?architecture=x64&architecture=arm64'), 400, 'request_invalid');
      for (const rest of ['/tarball', '/tarball?architecture=x64'])
        await readProblem(await get('maps/france', rest), 400, 'not_a_tarball');
    });

    test('of what is not there is not found', async () => {
      for (const rest of ['/tarball', '/download', '/tarball?architecture=x64'])
        await readProblem(await get('nowhere', rest), 404, 'artefact_not_found');
    });

    test('is told by HEAD with every header and no bytes', async () => {
      for (const [id, rest] of [
        ['@acme/both@1', '/tarball?architecture=x64'],
        ['native', '/download'],
        ['maps/france', '/download'],
        ['maps/empty', '/download'],
      ] as const) {
        const [got, head] = [await get(id, rest), await get(id, rest, { range: 'bytes=0-4' }, 'HEAD')];
        const names = [...got.headers.keys()].filter(
          (name) => !['date', 'x-request-id', 'connection', 'keep-alive'].includes(name),
        );
        assert.ok(names.includes('content-length'));
        assert.equal(head.status, 200);
        assert.deepEqual(headersOf(head, ...names), headersOf(got, ...names));
        assert.equal((await bytesOf(head)).length, 0);
        await bytesOf(got);
      }
      assert.equal((await get('nowhere', '/tarball', {}, 'HEAD')).status, 404);
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
      test(`of ${range} is that part`, async () => {
        const response = await get('maps/france', '/download', { range });
        assert.equal(response.status, 206);
        assert.deepEqual(await bytesOf(response), FILE.subarray(start, end + 1));
        assert.deepEqual(
          headersOf(response, 'content-range', 'content-length', 'etag', 'repr-digest', 'accept-ranges'),
          {
            'content-range': `bytes ${start}-${end}/300000`,
            'content-length': String(end - start + 1),
            'etag': `"sha256:${sha256(FILE).toString('hex')}"`,
            'repr-digest': `sha-256=:${sha256(FILE).toString('base64')}:`,
            'accept-ranges': 'bytes',
          },
        );
      });
    }

    test('of a part of a tarball carries the headers of tarballs as well', async () => {
      const response = await get('@acme/both@1', '/tarball?architecture=x64', { range: 'bytes=10-19' });
      assert.equal(response.status, 206);
      assert.deepEqual(await bytesOf(response), X64.subarray(10, 20));
      assert.deepEqual(
        headersOf(response, 'x-artefact-architecture', 'x-artefact-version', 'x-artefact-has-native-modules'),
        { 'x-artefact-architecture': 'x64', 'x-artefact-version': '2.0.0', 'x-artefact-has-native-modules': 'true' },
      );
    });

    test('of bytes beyond the end is refused with the size', async () => {
      for (const [id, range, size] of [
        ['maps/france', 'bytes=300000-', 300_000],
        ['maps/france', 'bytes=-0', 300_000],
        ['maps/empty', 'bytes=0-', 0],
      ] as const) {
        const response = await get(id, '/download', { range });
        assert.equal(response.headers.get('content-range'), `bytes */${size}`);
        await readProblem(response, 416, 'range_not_satisfiable');
      }
    });

    test('of several ranges or none that make sense is the whole', async () => {
      for (const range of ['bytes=0-1,5-6', 'items=0-1', 'bytes=5-1', 'nonsense']) {
        const response = await get('maps/france', '/download', { range });
        assert.equal(response.status, 200, range);
        assert.equal((await bytesOf(response)).length, FILE.length);
      }
    });

    test('of nothing is empty', async () => {
      const response = await get('maps/empty', '/download');
      assert.deepEqual(
        [response.status, response.headers.get('content-length'), (await bytesOf(response)).length],
        [200, '0', 0],
      );
    });

    test('resumes only what If-Range names, by entity tag or date', async () => {
      const { headers } = await get('maps/france', '/download', {}, 'HEAD');
      const [etag, lastModified] = [headers.get('etag') ?? '', headers.get('last-modified') ?? ''];
      for (const ifRange of [etag, lastModified])
        assert.equal(
          (await get('maps/france', '/download', { 'range': 'bytes=5-9', 'if-range': ifRange })).status,
          206,
        );
      for (const ifRange of ['"other"', `W/${etag}`, 'Sun, 06 Nov 1994 08:49:37 GMT']) {
        const response = await get('maps/france', '/download', { 'range': 'bytes=5-9', 'if-range': ifRange });
        assert.equal(response.status, 200);
        assert.deepEqual(await bytesOf(response), FILE);
      }
    });

    test('is spared to who holds the bytes, with the headers that clients read', async () => {
      const whole = await get('@acme/both@1', '/tarball?architecture=x64', {}, 'HEAD');
      const [etag, lastModified] = [whole.headers.get('etag') ?? '', whole.headers.get('last-modified') ?? ''];
      const later = new Date(Date.parse(lastModified) + 1000).toUTCString();
      for (const headers of [
        { 'if-none-match': etag },
        { 'if-none-match': `W/${etag}` },
        { 'if-none-match': '*' },
        { 'if-modified-since': lastModified },
        { 'if-modified-since': later },
        { 'if-none-match': etag, 'range': 'bytes=0-4' },
      ]) {
        for (const method of ['GET', 'HEAD']) {
          const response = await get('@acme/both@1', '/tarball?architecture=x64', { ...headers }, method);
          assert.equal(response.status, 304, JSON.stringify(headers));
          const names = [
            'etag',
            'last-modified',
            'cache-control',
            'x-artefact-architecture',
            'x-artefact-version',
            'x-artefact-has-native-modules',
            'repr-digest',
          ];
          assert.deepEqual(headersOf(response, ...names), headersOf(whole, ...names));
          assert.equal((await bytesOf(response)).length, 0);
        }
      }
      const earlier = new Date(Date.parse(lastModified) - 1000).toUTCString();
      for (const headers of [
        { 'if-none-match': '"other"' },
        { 'if-modified-since': earlier },
        { 'if-none-match': '"other"', 'if-modified-since': later },
      ]) {
        assert.equal(
          (await get('@acme/both@1', '/tarball?architecture=x64', { ...headers })).status,
          200,
          JSON.stringify(headers),
        );
      }
    });

    test('has a later date, in whole seconds, after every upload, though they fall into one second', async () => {
      const dates: number[] = [];
      for (let index = 0; index < 4; index++) {
        await uploaded(server, 'dated', { file: index % 2 === 0 ? NOARCH : X64 });
        const before = dates.at(-1);
        const since = before === undefined ? {} : { 'if-modified-since': new Date(before).toUTCString() };
        const response = await get('dated', '/tarball', since);
        assert.equal(response.status, 200);
        dates.push(Date.parse(response.headers.get('last-modified') ?? ''));
        await bytesOf(response);
      }
      dates.forEach((date, index) => {
        assert.ok(index === 0 || date >= dates[index - 1]! + 1000, String(dates));
      });
    });

    test('under way goes on with the bytes that it began with when the slot is replaced', async () => {
      const old = randomBytes(20_000_000);
      await uploaded(server, 'replaced', { format: 'file', file: old });
      const response = await get('replaced', '/download');
      const chunks: Uint8Array[] = [];
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        if (chunks.length === 0) await uploaded(server, 'replaced', { format: 'file', file: Buffer.from('new') });
        chunks.push(chunk);
      }
      assert.ok(Buffer.concat(chunks).equals(old));
      assert.equal((await bytesOf(await get('replaced', '/download'))).toString(), 'new');
    });

    // The same of a connection to S3 is in s3-faults.api.test.ts.
    if (storageOf(dialect) === 'fs')
      test('that nobody takes to its end releases the file', async () => {
        await uploaded(server, 'given-up', { format: 'file', file: randomBytes(20_000_000) });
        for (const readBytes of [0, 1_000_000]) {
          const connection = await openConnection(server.url);
          await connection.send(requestHead('GET', '/api/v1/artefacts/given-up/download', server.internal));
          if (readBytes === 0) connection.socket.pause();
          await eventually(async () => assert.equal((await openFiles(join(server.dataDir, 'blobs'))).length, 1));
          await eventually(async () => assert.ok(connection.socket.bytesRead >= readBytes));
          connection.socket.pause();
          connection.end();
          await eventually(async () => assert.deepEqual(await openFiles(join(server.dataDir, 'blobs')), []));
        }
        assert.deepEqual(server.logs, []);
      });
  });
}
