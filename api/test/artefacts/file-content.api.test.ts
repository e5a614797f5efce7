import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { openFiles } from '../blobs/fs-fixture.ts';
import { eventually } from '../support/eventually.ts';
import { readProblem } from '../support/problems.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { buildTar } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, storageOf, type TestServer } from '../support/test-server.ts';
import { artefactPath, uploadArtefact } from './documents.ts';
import { buildSamplePlugin, MANIFEST, ODD_NAMES } from './sample-plugin.ts';

/** More than the buffers of a connection hold. */
const LARGE = randomBytes(12 * 1024 * 1024);

for (const dialect of DIALECTS) {
  describe(`a file in a tarball on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
      await uploadArtefact(server, 'plugin', { file: await buildSamplePlugin() });
    });
    after(() => server.close());

    const get = (path: string, id = 'plugin') =>
      server.api('GET', artefactPath(id, `/files/${path}`), { headers: server.internal });
    const file = (path: string, id?: string) => get(path.split('/').map(encodeURIComponent).join('/'), id);

    test('is sent byte for byte, as text that no browser executes', async () => {
      const response = await file('package.json');
      assert.deepEqual(
        [
          response.status,
          response.headers.get('content-type'),
          response.headers.get('content-length'),
          response.headers.get('x-content-type-options'),
        ],
        [200, 'text/plain; charset=utf-8', String(MANIFEST.length), 'nosniff'],
      );
      assert.match(response.headers.get('content-security-policy') ?? '', /\bsandbox\b/);
      assert.equal(await response.text(), MANIFEST);
      const head = await server.api('HEAD', artefactPath('plugin', '/files/package.json'), {
        headers: server.internal,
      });
      assert.deepEqual(
        [head.status, head.headers.get('content-length'), await head.text()],
        [200, String(MANIFEST.length), ''],
      );
    });

    test('may be empty, a hard link, or the last of several with one name', async () => {
      assert.equal(await (await file('bin/hard')).text(), '#!/bin/sh\n');
      assert.equal(await (await file('twice.txt')).text(), 'the second');
      const empty = await file('empty');
      assert.deepEqual([empty.status, empty.headers.get('content-length'), await empty.text()], [200, '0', '']);
    });

    test('may have any name', async () => {
      for (const name of ODD_NAMES) {
        const response = await file(name);
        assert.deepEqual([response.status, await response.text()], [200, `content of ${name}`]);
      }
      assert.equal(
        await (await get('donn%C3%A9es%2F%C3%A9t%C3%A9%20%E2%98%83%20%E6%97%A5%E6%9C%AC.txt')).text(),
        `content of ${ODD_NAMES[0]}`,
      );
    });

    test('is not found under any other path', async () => {
      const connection = await openConnection(server.url);
      const ask = async (path: string) => {
        await connection.send(requestHead('GET', `/api/v1/artefacts/plugin/files/${path}`, server.internal));
        const { status, body } = await connection.answer();
        return [status, (JSON.parse(body) as { code: string }).code];
      };
      const paths = [
        '',
        'none',
        'bin',
        'bin/',
        'bin/soft',
        'bin/run/',
        '/package.json',
        './package.json',
        'bin/../package.json',
        '../plugin/files/package.json',
        'package/package.json',
        '..%2f..%2f..%2fetc%2fpasswd',
        '%2e%2e/%2e%2e/berth.db',
        '/etc/passwd',
        'package.json%00',
        '%00',
        'PACKAGE.JSON',
        'package.json\\',
        'constructor',
        'x'.repeat(1100),
      ];
      for (const path of paths) assert.deepEqual(await ask(path), [404, 'file_not_found'], path);
      for (const path of ['%', '%E0%A4%A', '%ff']) assert.deepEqual(await ask(path), [400, 'request_invalid'], path);
      connection.end();
    });

    test('is sent completely if it is large, or follows a large one', async () => {
      const tar = buildTar([
        { path: 'package/package.json', content: MANIFEST },
        { path: 'package/large.bin', content: LARGE },
        { path: 'package/behind.txt', content: 'behind' },
      ]);
      await uploadArtefact(server, 'large', { file: gzipSync(tar, { level: 0 }) });
      assert.ok(LARGE.equals(Buffer.from(await (await file('large.bin', 'large')).arrayBuffer())));
      assert.equal(await (await file('behind.txt', 'large')).text(), 'behind');
    });

    test('far into a tarball is read by one request of a caller at a time, and few wait', async () => {
      const tar = buildTar([
        { path: 'package/package.json', content: MANIFEST },
        { path: 'package/zeros', content: Buffer.alloc(200 * 1024 * 1024) },
        { path: 'package/far.txt', content: 'far' },
      ]);
      await uploadArtefact(server, 'far', { file: gzipSync(tar, { level: 1 }) });
      const responses = await Promise.all(Array.from({ length: 20 }, () => file('far.txt', 'far')));
      for (const response of responses) {
        if (response.status === 200) assert.equal(await response.text(), 'far');
        else {
          await readProblem(response, 503, 'tarball_reads_busy');
          assert.equal(response.headers.get('retry-after'), '5');
        }
      }
      const accepted = responses.filter(({ status }) => status === 200).length;
      assert.ok(accepted >= 1 && accepted < 20, `${accepted}`);
      assert.equal(await (await file('far.txt', 'far')).text(), 'far');
    });

    if (storageOf(dialect) === 'fs')
      test('is closed when the client disconnects', async () => {
        const connection = await openConnection(server.url);
        connection.socket.pause();
        await connection.send(
          requestHead('GET', artefactPath('large', '/files/large.bin').replace('/', '/api/v1/'), server.internal),
        );
        await once(connection.socket, 'readable');
        assert.equal((await openFiles(join(server.dataDir, 'blobs'))).length, 1);
        connection.end();
        await eventually(async () => {
          assert.deepEqual(await openFiles(join(server.dataDir, 'blobs')), []);
        });
      });
  });
}
