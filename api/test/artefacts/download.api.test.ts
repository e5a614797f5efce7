import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openFiles } from '../blobs/fs-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { readProblem } from '../support/problems.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { DIALECTS, startTestServer, storageOf, type TestServer } from '../support/test-server.ts';
import { artefactPath, readDocument, uploadArtefact } from './documents.ts';
import { bytesOf, FILE, headersOf, NOARCH, sha256, uploadSamples, X64 } from './download-samples.ts';

for (const dialect of DIALECTS) {
  describe(`downloads on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
      await uploadSamples(server);
    });
    after(() => server.close());

    const get = (id: string, rest: string, headers: Record<string, string> = {}, method = 'GET') =>
      server.api(method, artefactPath(id, rest), { headers: { ...server.internal, ...headers } });

    test('a tarball is sent with all headers that clients read', async () => {
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
        'content-disposition': [
          'attachment',
          'filename="@acme-both@1-x64.tgz"',
          "filename*=UTF-8''%40acme-both%401-x64.tgz",
        ].join('; '),
        'repr-digest': `sha-256=:${sha256(X64).toString('base64')}:`,
        'x-artefact-architecture': 'x64',
        'x-artefact-version': '2.0.0',
        'x-artefact-has-native-modules': 'true',
      });
      assert.ok([date, connection, keepAlive, requestId, lastModified, vary].every((value) => value !== undefined));
      assert.ok(Date.parse(lastModified ?? '') >= Math.floor(Date.parse(dataUpdatedAt) / 1000) * 1000);
    });

    test('a file is sent with its name, and without tarball headers', async () => {
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
          'content-disposition': [
            'attachment',
            `filename="l'ete (1)*.mbtiles"`,
            `filename*=UTF-8''l%27%C3%A9t%C3%A9%20%281%29%2A.mbtiles`,
          ].join('; '),
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
      test(`${rest} of ${id} serves the slot ${architecture}`, async () => {
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

    test('/tarball does not fall back to other architectures', async () => {
      for (const rest of ['/tarball', '/tarball?architecture=riscv64', '/tarball?architecture=noarch']) {
        const { detail } = await readProblem(await get('native', rest), 404, 'slot_not_found');
        assert.match(detail, /arm64, x64/);
      }
    });

    test('an invalid architecture, or the tarball of a file, is rejected', async () => {
      for (const rest of ['/tarball?architecture=X64', '/tarball?architecture=..%2Fx64'])
        await readProblem(await get('native', rest), 400, 'architecture_invalid');
      await readProblem(await get('native', '/tarball?architecture=x64&architecture=arm64'), 400, 'request_invalid');
      for (const rest of ['/tarball', '/tarball?architecture=x64'])
        await readProblem(await get('maps/france', rest), 400, 'not_a_tarball');
    });

    test('an absent artefact is not found', async () => {
      for (const rest of ['/tarball', '/download', '/tarball?architecture=x64'])
        await readProblem(await get('nowhere', rest), 404, 'artefact_not_found');
    });

    test('HEAD sends every header and no bytes', async () => {
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

    test('an empty file is sent', async () => {
      const response = await get('maps/empty', '/download');
      assert.deepEqual(
        [response.status, response.headers.get('content-length'), (await bytesOf(response)).length],
        [200, '0', 0],
      );
    });

    test('a download in progress completes with its bytes when the slot is replaced', async () => {
      const old = randomBytes(20_000_000);
      await uploadArtefact(server, 'replaced', { format: 'file', file: old });
      const response = await get('replaced', '/download');
      const chunks: Uint8Array[] = [];
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        if (chunks.length === 0)
          await uploadArtefact(server, 'replaced', { format: 'file', file: Buffer.from('new') });
        chunks.push(chunk);
      }
      assert.ok(Buffer.concat(chunks).equals(old));
      assert.equal((await bytesOf(await get('replaced', '/download'))).toString(), 'new');
    });

    // s3-faults.api.test.ts tests the same for connections to S3.
    if (storageOf(dialect) === 'fs')
      test('an aborted download closes the file', async () => {
        await uploadArtefact(server, 'aborted', { format: 'file', file: randomBytes(20_000_000) });
        for (const readBytes of [0, 1_000_000]) {
          const connection = await openConnection(server.url);
          await connection.send(requestHead('GET', '/api/v1/artefacts/aborted/download', server.internal));
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
