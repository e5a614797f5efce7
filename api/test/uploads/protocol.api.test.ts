import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { readDocument } from '../artefacts/documents.ts';
import { digestOf } from '../support/digests.ts';
import { readProblem } from '../support/problems.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { query, readStoredState, rememberStored } from '../support/stored-state.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import {
  createUpload,
  creationHeaders,
  endpointOf,
  INTERNAL,
  metadataHeader,
  offsetOf,
  patchUpload,
  tusRequest,
  tusUpload,
  urlOf,
} from './tus-client.ts';

const MAX_BYTES = 200_000;
const FILE = randomBytes(100_000);

for (const dialect of DIALECTS) {
  describe(`the protocol of resumable uploads on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect, env: { MAX_UPLOAD_BYTES: String(MAX_BYTES) } });
    });
    after(() => server.close());

    const create = (headers: Record<string, string>, body?: Uint8Array) =>
      tusRequest('POST', endpointOf(server), { headers, ...(body && { body }) });
    const announce = (id: string, sizeBytes = FILE.length, fields: Record<string, string> = {}) =>
      creationHeaders(id, sizeBytes, { fields });

    test('lists its version and extensions without authentication', async () => {
      const response = await fetch(endpointOf(server), { method: 'OPTIONS' });
      assert.equal(response.status, 204);
      assert.deepEqual(
        ['tus-version', 'tus-extension', 'tus-max-size'].map((name) => response.headers.get(name)),
        ['1.0.0', 'creation,creation-with-upload,expiration,termination', String(MAX_BYTES)],
      );
      assert.deepEqual(
        [...response.headers.keys()].filter((name) => name.startsWith('access-control')),
        [],
      );
    });

    test('accepts a file in pieces and publishes it with the last one', async () => {
      const created = await create(
        announce('pieces', FILE.length, { fileName: 'maps.pmtiles', title: '{"en":"Maps"}' }),
      );
      assert.equal(created.status, 201);
      assert.match(created.headers.get('location') ?? '', /^uploads\/[\w-]{32}$/);
      assert.ok(Date.parse(created.headers.get('upload-expires') ?? '') > Date.now() + 23 * 3_600_000);
      const url = urlOf(server, created);

      const first = await patchUpload(url, 0, FILE.subarray(0, 30_000));
      assert.deepEqual(
        [first.status, first.headers.get('upload-offset'), first.headers.get('x-artefact-digest')],
        [204, '30000', null],
      );
      assert.ok(Date.parse(first.headers.get('upload-expires') ?? '') > Date.now() + 23 * 3_600_000);
      assert.equal((await server.api('GET', '/artefacts/pieces', { headers: server.internal })).status, 404);
      const head = await tusRequest('HEAD', url);
      assert.deepEqual(
        ['upload-offset', 'upload-length', 'cache-control', 'tus-resumable'].map((name) => head.headers.get(name)),
        ['30000', '100000', 'no-store', '1.0.0'],
      );
      assert.equal(
        head.headers.get('upload-metadata'),
        metadataHeader({ id: 'pieces', format: 'file', fileName: 'maps.pmtiles', title: '{"en":"Maps"}' }),
      );

      const last = await patchUpload(url, 30_000, FILE.subarray(30_000));
      assert.deepEqual(
        [last.status, last.headers.get('upload-offset'), last.headers.get('x-artefact-digest')],
        [204, '100000', digestOf(FILE)],
      );
      const { fileName, digest, title } = await readDocument(server, 'pieces');
      assert.deepEqual([fileName, digest, title], ['maps.pmtiles', digestOf(FILE), { en: 'Maps' }]);
      const bytes = await (
        await server.api('GET', '/artefacts/pieces/download', { headers: server.internal })
      ).arrayBuffer();
      assert.ok(FILE.equals(Buffer.from(bytes)));
    });

    test('accepts a repeated last piece, and rejects bytes beyond the end', async () => {
      const url = await createUpload(server, 'again', FILE.length);
      await patchUpload(url, 0, FILE);
      const again = await patchUpload(url, FILE.length, Buffer.alloc(0));
      assert.deepEqual([again.status, again.headers.get('x-artefact-digest')], [204, digestOf(FILE)]);
      await readProblem(await patchUpload(url, FILE.length, Buffer.from('x')), 413, 'upload_too_large');
      await readProblem(await patchUpload(url, 0, FILE), 409, 'upload_offset_conflict');
      assert.equal((await readDocument(server, 'again')).digest, digestOf(FILE));
    });

    test('rejects bytes at a wrong offset, and keeps the stored ones', async () => {
      const url = await createUpload(server, 'offsets', FILE.length);
      await patchUpload(url, 0, FILE.subarray(0, 1000));
      for (const offset of [0, 999, 1001])
        await readProblem(await patchUpload(url, offset, FILE.subarray(0, 10)), 409, 'upload_offset_conflict');
      await readProblem(await patchUpload(url, 1000, FILE), 413, 'upload_too_large');
      assert.equal(await offsetOf(url), 1000);
      await tusRequest('DELETE', url);
    });

    test('rejects a chunked body that exceeds the announced length, and keeps the bytes before', async () => {
      const url = await createUpload(server, 'chunked', 1000);
      const connection = await openConnection(server.url);
      await connection.send(
        requestHead('PATCH', new URL(url).pathname, {
          ...INTERNAL,
          'tus-resumable': '1.0.0',
          'upload-offset': 0,
          'content-type': 'application/offset+octet-stream',
          'transfer-encoding': 'chunked',
        }),
      );
      await connection.send(`3e8\r\n${'x'.repeat(1000)}\r\n`);
      await connection.send('1\r\nx\r\n0\r\n\r\n');
      const { status, body } = await connection.answer();
      assert.deepEqual([status, (JSON.parse(body) as { code: string }).code], [413, 'upload_too_large']);
      connection.end();
      assert.equal(await offsetOf(url), 1000);
      assert.equal((await readDocument(server, 'chunked')).size, 1000);
    });

    test('rejects requests that violate the protocol', async () => {
      const url = await createUpload(server, 'strict', 10);
      const withoutVersion = await fetch(url, { method: 'HEAD', headers: INTERNAL });
      assert.deepEqual([withoutVersion.status, withoutVersion.headers.get('tus-version')], [412, '1.0.0']);
      await readProblem(
        await tusRequest('PATCH', url, { headers: { 'tus-resumable': '0.2.2', 'upload-offset': '0' }, body: FILE }),
        412,
        'tus_version_unsupported',
      );
      await readProblem(
        await fetch(endpointOf(server), { method: 'POST', headers: { ...INTERNAL, ...announce('x') } }),
        412,
        'tus_version_unsupported',
      );
      await readProblem(
        await tusRequest('PATCH', url, {
          headers: { 'upload-offset': '0', 'content-type': 'application/octet-stream' },
          body: FILE,
        }),
        415,
        'media_type_unsupported',
      );
      await readProblem(
        await tusRequest('PATCH', url, { headers: { 'upload-offset': '0' } }),
        415,
        'media_type_unsupported',
      );
      await readProblem(
        await tusRequest('PATCH', url, {
          headers: { 'upload-offset': '0', 'content-type': 'application/json' },
          body: Buffer.from('{}'),
        }),
        415,
        'media_type_unsupported',
      );
      await readProblem(await tusRequest('PATCH', url, { body: FILE }), 400, 'tus_header_invalid');
      for (const offset of ['-1', '1.5', 'x', ''])
        await readProblem(
          await tusRequest('PATCH', url, { headers: { 'upload-offset': offset }, body: FILE }),
          400,
          'tus_header_invalid',
        );
      await tusRequest('DELETE', url);
    });

    test('accepts X-HTTP-Method-Override with POST', async () => {
      await tusUpload(
        server,
        'overridden',
        { format: 'file', file: FILE },
        { chunkSize: 30_000, overridePatchMethod: true },
      );
      assert.equal((await readDocument(server, 'overridden')).digest, digestOf(FILE));
      const url = await createUpload(server, 'overridden', 10);
      await readProblem(await tusRequest('POST', url), 400, 'tus_header_invalid');
      await readProblem(
        await tusRequest('POST', url, { headers: { 'x-http-method-override': 'PUT' } }),
        400,
        'tus_header_invalid',
      );
      assert.equal((await tusRequest('POST', url, { headers: { 'x-http-method-override': 'DELETE' } })).status, 204);
      assert.equal((await tusRequest('HEAD', url)).status, 404);
    });

    test('leaves nothing of a cancelled upload', async () => {
      const assertUntouched = await rememberStored(server);
      for (const format of ['file', 'npm']) {
        const url = await createUpload(server, 'cancelled', FILE.length, { format });
        if (format === 'file') await patchUpload(url, 0, FILE.subarray(0, 50_000));
        const removed = await tusRequest('DELETE', url);
        assert.deepEqual([removed.status, removed.headers.get('tus-resumable')], [204, '1.0.0']);
        for (const method of ['HEAD', 'DELETE']) assert.equal((await tusRequest(method, url)).status, 404);
        await readProblem(await patchUpload(url, 50_000, FILE.subarray(50_000)), 404, 'upload_not_found');
      }
      assert.deepEqual(await query(server, `select id from resumable_uploads where artefact_id = 'cancelled'`), []);
      await assertUntouched();
    });

    test('keeps an artefact whose upload is deleted after publication', async () => {
      const url = await createUpload(server, 'kept', FILE.length);
      await patchUpload(url, 0, FILE);
      assert.equal((await tusRequest('DELETE', url)).status, 204);
      assert.equal((await readDocument(server, 'kept')).digest, digestOf(FILE));
      assert.equal((await server.api('GET', '/artefacts/kept/download', { headers: server.internal })).status, 200);
    });

    test('rejects requests for an expired upload', async () => {
      const url = await createUpload(server, 'late', FILE.length);
      await patchUpload(url, 0, FILE.subarray(0, 10));
      await query(
        server,
        `update resumable_uploads set expires_at = '2020-01-01T00:00:00.000Z' where artefact_id = 'late' returning id`,
      );
      assert.equal((await tusRequest('HEAD', url)).status, 410);
      await readProblem(await patchUpload(url, 10, FILE.subarray(10)), 410, 'upload_gone');
      assert.equal((await tusRequest('DELETE', url)).status, 204);
      assert.deepEqual((await readStoredState(server)).blob_writers, []);
    });
  });
}
