import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { readDocument, uploaded } from '../artefacts/documents.ts';
import { readProblem } from '../support/problems.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { query, readStoredState, rememberStored } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import {
  ADMIN_EMAIL,
  ADMIN_PASSWORD,
  DIALECTS,
  signIn,
  startTestServer,
  type TestServer,
} from '../support/test-server.ts';
import {
  createUpload,
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
const digestOf = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

for (const dialect of DIALECTS) {
  describe(`the protocol of resumable uploads on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect, signIn: 'local', env: { MAX_UPLOAD_BYTES: String(MAX_BYTES) } });
    });
    after(() => server.close());

    const create = (headers: Record<string, string>, body?: Uint8Array, caller?: Record<string, string>) =>
      tusRequest('POST', endpointOf(server), { headers, ...(body && { body }), ...(caller && { caller }) });
    const announce = (id: string, sizeBytes = FILE.length, fields: Record<string, string> = {}) => ({
      'upload-length': String(sizeBytes),
      'upload-metadata': metadataHeader({ id, format: 'file', ...fields }),
    });
    const uploads = () => query<{ id: string }>(server, 'select id from resumable_uploads');

    test('tells everybody what it offers', async () => {
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

    test('takes a file in pieces and publishes it with the last one', async () => {
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

    test('tells the uploader what came of it, who may not read the artefact', async () => {
      const caller = { 'x-api-key': await server.uploadKey() };
      const url = await createUpload(server, 'told', FILE.length, { caller });
      await patchUpload(url, 0, FILE.subarray(0, 1000), caller);
      const before = (await (await fetch(url, { headers: caller })).json()) as Record<string, unknown>;
      assert.deepEqual(
        [before['artefactId'], before['format'], before['size'], before['offset'], before['artefact']],
        ['told', 'file', FILE.length, 1000, undefined],
      );
      assert.equal((await patchUpload(url, 1000, FILE.subarray(1000), caller)).status, 204);
      const after = (await (await fetch(url, { headers: caller })).json()) as {
        offset: number;
        digest: string;
        artefact: { _id: string; digest: string; uploadedBy: { apiKeyName: string } };
      };
      assert.deepEqual(
        [after.offset, after.digest, after.artefact._id, after.artefact.digest, after.artefact.uploadedBy.apiKeyName],
        [FILE.length, digestOf(FILE), 'told', digestOf(FILE), 'CI'],
      );
      assert.equal((await server.api('GET', '/artefacts/told', { headers: caller })).status, 404);
    });

    test('takes everything with the creation', async () => {
      const response = await create(announce('at-once'), FILE);
      assert.deepEqual(
        [response.status, response.headers.get('upload-offset'), response.headers.get('x-artefact-digest')],
        [201, '100000', digestOf(FILE)],
      );
      assert.equal(await offsetOf(urlOf(server, response)), FILE.length);
      assert.equal((await readDocument(server, 'at-once')).digest, digestOf(FILE));
    });

    test('takes some of it with the creation', async () => {
      const response = await create(announce('begun'), FILE.subarray(0, 10));
      assert.deepEqual([response.status, response.headers.get('upload-offset')], [201, '10']);
      assert.equal((await patchUpload(urlOf(server, response), 10, FILE.subarray(10))).status, 204);
      assert.equal((await readDocument(server, 'begun')).digest, digestOf(FILE));
    });

    test('takes a file of no bytes with its creation alone', async () => {
      const response = await create(announce('empty', 0));
      assert.deepEqual([response.status, response.headers.get('x-artefact-digest')], [201, digestOf(Buffer.alloc(0))]);
      assert.equal((await readDocument(server, 'empty')).size, 0);
      assert.equal(await offsetOf(urlOf(server, response)), 0);
    });

    test('takes exactly as many bytes as are allowed, and refuses one more before any byte', async () => {
      const file = randomBytes(MAX_BYTES);
      assert.equal((await create(announce('largest', MAX_BYTES), file)).status, 201);
      const assertUntouched = await rememberStored(server);
      await readProblem(await create(announce('larger', MAX_BYTES + 1)), 413, 'upload_too_large');
      await assertUntouched();
    });

    test(
      'answers a last piece that is sent again as if it were the first time, and bytes beyond the end ' +
        'with a refusal',
      async () => {
        const url = await createUpload(server, 'again', FILE.length);
        await patchUpload(url, 0, FILE);
        const again = await patchUpload(url, FILE.length, Buffer.alloc(0));
        assert.deepEqual([again.status, again.headers.get('x-artefact-digest')], [204, digestOf(FILE)]);
        await readProblem(await patchUpload(url, FILE.length, Buffer.from('x')), 413, 'upload_too_large');
        await readProblem(await patchUpload(url, 0, FILE), 409, 'upload_offset_conflict');
        assert.equal((await readDocument(server, 'again')).digest, digestOf(FILE));
      },
    );

    test('refuses bytes that do not continue, and keeps what it has', async () => {
      const url = await createUpload(server, 'offsets', FILE.length);
      await patchUpload(url, 0, FILE.subarray(0, 1000));
      for (const offset of [0, 999, 1001])
        await readProblem(await patchUpload(url, offset, FILE.subarray(0, 10)), 409, 'upload_offset_conflict');
      await readProblem(await patchUpload(url, 1000, FILE), 413, 'upload_too_large');
      assert.equal(await offsetOf(url), 1000);
      await tusRequest('DELETE', url);
    });

    test('refuses more bytes than were announced when their number was not, and keeps those before', async () => {
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

    test('refuses what is not its protocol', async () => {
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

    test('refuses creations that say too little or too much, before anything is stored', async () => {
      const assertUntouched = await rememberStored(server);
      const metadata = (pairs: Record<string, string>) => ({
        'upload-length': '10',
        'upload-metadata': metadataHeader(pairs),
      });
      await readProblem(
        await create({ 'upload-metadata': metadataHeader({ id: 'x', format: 'file' }) }),
        400,
        'tus_header_invalid',
      );
      await readProblem(await create({ ...announce('x'), 'upload-length': '-1' }), 400, 'tus_header_invalid');
      await readProblem(
        await create({ ...metadata({ id: 'x', format: 'file' }), 'upload-defer-length': '1' }),
        501,
        'tus_extension_unsupported',
      );
      await readProblem(
        await create({ ...announce('x'), 'upload-concat': 'partial' }),
        501,
        'tus_extension_unsupported',
      );
      await readProblem(await create({ 'upload-length': '10' }), 400, 'upload_metadata_invalid');
      for (const header of ['id', 'id !', 'id eA==,id eA==', '__proto__ eA=='])
        assert.equal((await create({ 'upload-length': '10', 'upload-metadata': header })).status, 400, header);
      await readProblem(await create(metadata({ format: 'file' })), 400, 'upload_metadata_invalid');
      await readProblem(await create(metadata({ id: 'x' })), 400, 'upload_metadata_invalid');
      await readProblem(await create(metadata({ id: 'x', format: 'branch' })), 400, 'upload_metadata_invalid');
      const { errors } = await readProblem(
        await create(metadata({ id: 'x', format: 'file', architecture: 'x64' })),
        400,
        'upload_metadata_invalid',
      );
      assert.deepEqual(errors, [{ path: '/architecture', message: 'is not a key of this format' }]);
      await readProblem(await create(metadata({ id: 'a/../b', format: 'file' })), 400, 'artefact_id_invalid');
      await readProblem(await create(metadata({ id: 'groups', format: 'npm' })), 400, 'artefact_id_invalid');
      await readProblem(
        await create(metadata({ id: 'x', format: 'npm', architecture: 'X64' })),
        400,
        'architecture_invalid',
      );
      await readProblem(
        await create(metadata({ id: 'x', format: 'file', category: 'nonsense' })),
        400,
        'category_invalid',
      );
      await readProblem(
        await create(metadata({ id: 'x', format: 'file', category: 'processing' })),
        400,
        'category_invalid',
      );
      await readProblem(
        await create(metadata({ id: 'x', format: 'file', fileName: 'a/b' })),
        400,
        'file_name_invalid',
      );
      await readProblem(await create(metadata({ id: 'x', format: 'file', title: 'Maps' })), 400, 'field_invalid');
      await readProblem(
        await create(metadata({ id: 'x', format: 'npm', description: '{"de":"Karten"}' })),
        400,
        'field_invalid',
      );
      assert.deepEqual(
        (await uploads()).filter(({ id }) => id === 'x'),
        [],
      );
      await assertUntouched();
    });

    test('refuses ids that are taken at the creation, with the body unread', async () => {
      await uploaded(server, 'npm-one', { file: await npmTarball() });
      for (const body of [undefined, FILE])
        await readProblem(await create(announce('npm-one'), body), 409, 'format_conflict');
      const connection = await openConnection(server.url);
      await connection.send(
        requestHead('POST', '/api/v1/uploads', {
          ...INTERNAL,
          'tus-resumable': '1.0.0',
          ...announce('npm-one'),
          'content-type': 'application/offset+octet-stream',
          'content-length': FILE.length,
          'expect': '100-continue',
        }),
      );
      const { status, interim } = await connection.answer();
      assert.deepEqual([status, interim], [409, []]);
      connection.end();
    });

    test('takes what Uppy tells of a file unasked: its name is kept, the rest is passed over', async () => {
      const unasked = {
        name: 'tiles.bin',
        type: 'application/octet-stream',
        relativePath: 'null',
        filename: 'tiles.bin',
        filetype: 'application/octet-stream',
      };
      const url = await createUpload(server, 'uppy', FILE.length, { fields: unasked });
      assert.equal(
        (await tusRequest('HEAD', url)).headers.get('upload-metadata'),
        metadataHeader({ id: 'uppy', format: 'file', fileName: 'tiles.bin' }),
      );
      assert.equal((await patchUpload(url, 0, FILE)).status, 204);
      assert.equal((await readDocument(server, 'uppy')).fileName, 'tiles.bin');
      const file = await npmTarball({ name: 'from-uppy' });
      await tusUpload(server, 'uppy-npm', { file, fields: unasked });
      assert.equal((await readDocument(server, 'uppy-npm')).tarballs?.['noarch']?.digest, digestOf(file));
    });

    test('refuses a creation with more bytes than it announces, and keeps nothing of it', async () => {
      const assertUntouched = await rememberStored(server);
      await readProblem(await create(announce('more', 10), FILE), 413, 'upload_too_large');
      assert.deepEqual(await query(server, `select id from resumable_uploads where artefact_id = 'more'`), []);
      await assertUntouched();
    });

    test('asks for the body once it wants it', async () => {
      const connection = await openConnection(server.url);
      await connection.send(
        requestHead('POST', '/api/v1/uploads', {
          ...INTERNAL,
          'tus-resumable': '1.0.0',
          ...announce('expected', 5),
          'content-type': 'application/offset+octet-stream',
          'content-length': 5,
          'expect': '100-continue',
        }),
      );
      assert.equal(await connection.interim(), 100);
      await connection.send('bytes');
      assert.equal((await connection.answer()).status, 201);
      connection.end();
    });

    test('shows an upload to nobody but the one who made it', async () => {
      const mine = { 'x-api-key': await server.uploadKey() };
      const url = await createUpload(server, 'mine', FILE.length, { caller: mine });
      await patchUpload(url, 0, FILE.subarray(0, 10), mine);
      for (const caller of [INTERNAL, { 'x-api-key': await server.uploadKey() }, await server.superadmin()]) {
        assert.equal((await tusRequest('HEAD', url, { caller })).status, 404);
        await readProblem(await fetch(url, { headers: caller }), 404, 'upload_not_found');
        await readProblem(await patchUpload(url, 10, FILE.subarray(10), caller), 404, 'upload_not_found');
        await readProblem(await tusRequest('DELETE', url, { caller }), 404, 'upload_not_found');
      }
      await readProblem(await patchUpload(url, 10, FILE, {}), 401, 'unauthenticated');
      const readKey = { 'x-api-key': await server.readKey({ type: 'organization', id: 'acme' }) };
      await readProblem(await patchUpload(url, 10, FILE, readKey), 403, 'forbidden');
      assert.equal(await offsetOf(url, mine), 10);
      assert.equal((await tusRequest('DELETE', url, { caller: mine })).status, 204);
    });

    test(
      'lets a session go on with what another session of the same user began, and no page of ' + 'another origin',
      async () => {
        const session = await server.superadmin();
        const url = await createUpload(server, 'session', 10, { caller: session });
        await readProblem(
          await tusRequest('PATCH', url, {
            headers: { 'upload-offset': '0', 'origin': 'https://evil.example' },
            body: FILE.subarray(0, 10),
            caller: session,
          }),
          403,
          'cross_origin',
        );
        const other = await signIn(server.url, ADMIN_EMAIL, ADMIN_PASSWORD);
        assert.notDeepEqual(other, session);
        assert.equal((await patchUpload(url, 0, FILE.subarray(0, 10), other)).status, 204);
        assert.equal((await readDocument(server, 'session')).size, 10);
      },
    );

    test('takes a POST that says that it means something else', async () => {
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

    test('gives a location that is right below a path and behind proxies that say nothing of themselves', async () => {
      const below = await startTestServer({ env: { PUBLIC_URL: 'https://example.org/registry' } });
      try {
        for (const prefix of ['/registry', '']) {
          const response = await tusRequest('POST', `${below.url}${prefix}/api/v1/uploads`, {
            headers: announce('below', 3),
          });
          const url = new URL(response.headers.get('location') ?? '', `${below.url}${prefix}/api/v1/uploads`).href;
          assert.ok(url.startsWith(`${below.url}${prefix}/api/v1/uploads/`));
          assert.equal((await patchUpload(url, 0, FILE.subarray(0, 3))).status, 204);
        }
        const endpoint = `${below.url}/registry/api/v1/uploads`;
        assert.match(
          await tusUpload(below, 'below-too', { format: 'file', file: FILE }, { endpoint, chunkSize: 50_000 }),
          new RegExp(`^${endpoint}/[\\w-]{32}$`),
        );
      } finally {
        await below.close();
      }
    });

    test('leaves nothing of an upload that is given up', async () => {
      const assertUntouched = await rememberStored(server);
      for (const format of ['file', 'npm']) {
        const url = await createUpload(server, 'given-up', FILE.length, { format });
        if (format === 'file') await patchUpload(url, 0, FILE.subarray(0, 50_000));
        const removed = await tusRequest('DELETE', url);
        assert.deepEqual([removed.status, removed.headers.get('tus-resumable')], [204, '1.0.0']);
        for (const method of ['HEAD', 'DELETE']) assert.equal((await tusRequest(method, url)).status, 404);
        await readProblem(await patchUpload(url, 50_000, FILE.subarray(50_000)), 404, 'upload_not_found');
      }
      assert.deepEqual(await query(server, `select id from resumable_uploads where artefact_id = 'given-up'`), []);
      await assertUntouched();
    });

    test('keeps an artefact whose upload is given up after its end', async () => {
      const url = await createUpload(server, 'kept', FILE.length);
      await patchUpload(url, 0, FILE);
      assert.equal((await tusRequest('DELETE', url)).status, 204);
      assert.equal((await readDocument(server, 'kept')).digest, digestOf(FILE));
      assert.equal((await server.api('GET', '/artefacts/kept/download', { headers: server.internal })).status, 200);
    });

    test('refuses an upload that has expired', async () => {
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
