import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { readDocument, uploadArtefact } from '../artefacts/documents.ts';
import { CLIENT_KEYS } from '../../src/uploads/operations.ts';
import { digestOf } from '../support/digests.ts';
import { readProblem } from '../support/problems.ts';
import { openConnection, requestHead } from '../support/raw-http.ts';
import { query, rememberStored } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
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
  describe(`the creation of a resumable upload on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect, env: { MAX_UPLOAD_BYTES: String(MAX_BYTES) } });
    });
    after(() => server.close());

    const create = (headers: Record<string, string>, body?: Uint8Array) =>
      tusRequest('POST', endpointOf(server), { headers, ...(body && { body }) });
    const announce = (id: string, sizeBytes = FILE.length, fields: Record<string, string> = {}) =>
      creationHeaders(id, sizeBytes, { fields });
    const uploads = () => query<{ id: string }>(server, 'select id from resumable_uploads');

    test('accepts all bytes with the creation', async () => {
      const response = await create(announce('at-once'), FILE);
      assert.deepEqual(
        [response.status, response.headers.get('upload-offset'), response.headers.get('x-artefact-digest')],
        [201, '100000', digestOf(FILE)],
      );
      assert.equal(await offsetOf(urlOf(server, response)), FILE.length);
      assert.equal((await readDocument(server, 'at-once')).digest, digestOf(FILE));
    });

    test('accepts some of the bytes with the creation', async () => {
      const response = await create(announce('partial'), FILE.subarray(0, 10));
      assert.deepEqual([response.status, response.headers.get('upload-offset')], [201, '10']);
      assert.equal((await patchUpload(urlOf(server, response), 10, FILE.subarray(10))).status, 204);
      assert.equal((await readDocument(server, 'partial')).digest, digestOf(FILE));
    });

    test('publishes an empty file with its creation', async () => {
      const response = await create(announce('empty', 0));
      assert.deepEqual([response.status, response.headers.get('x-artefact-digest')], [201, digestOf(Buffer.alloc(0))]);
      assert.equal((await readDocument(server, 'empty')).size, 0);
      assert.equal(await offsetOf(urlOf(server, response)), 0);
    });

    test('accepts exactly the maximum size, and rejects a larger one before any byte', async () => {
      const file = randomBytes(MAX_BYTES);
      assert.equal((await create(announce('largest', MAX_BYTES), file)).status, 201);
      const assertUntouched = await rememberStored(server);
      await readProblem(await create(announce('larger', MAX_BYTES + 1)), 413, 'upload_too_large');
      await assertUntouched();
    });

    test('rejects invalid creations before anything is stored', async () => {
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
      for (const header of ['id', ',', 'id !', 'id eA==,id eA==', '__proto__ eA=='])
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

    test('rejects conflicting ids at the creation, without reading the body', async () => {
      await uploadArtefact(server, 'npm-one', { file: await npmTarball() });
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

    test('accepts what clients send by custom, one by one: uses the file name, passes over the rest', async () => {
      for (const key of CLIENT_KEYS)
        for (const format of ['npm', 'file'] as const) {
          const id = `${format}-${key}`;
          const url = await createUpload(server, id, 3, { format, fields: { [key]: 'a.bin' } });
          const isName = format === 'file' && ['name', 'filename'].includes(key);
          assert.equal(
            (await tusRequest('HEAD', url)).headers.get('upload-metadata'),
            metadataHeader({ id, format, ...(isName && { fileName: 'a.bin' }) }),
          );
          await tusRequest('DELETE', url);
        }
    });

    test('names a key that it does not know', async () => {
      const key = `titel${'x'.repeat(500)}`;
      const response = await create(announce('x', 10, { [key]: 'Maps' }));
      const { detail } = await readProblem(response, 400, 'upload_metadata_invalid');
      assert.match(detail, /^Upload-Metadata has the unknown key "titelx{95}…": the keys of .+, title, /);
      assert.match(
        (await readProblem(await create(announce('x', 10, { format: 'zip\n' })), 400, 'upload_metadata_invalid'))
          .detail,
        /^Upload-Metadata has the format "zip": send one of npm, file in "format", as Base64\.$/,
      );
    });

    test('works at an address that ends with a slash, also below a path prefix', async () => {
      const below = await startTestServer({ env: { PUBLIC_URL: 'https://example.org/registry' } });
      try {
        for (const prefix of ['/registry', '']) {
          const endpoint = `${below.url}${prefix}/api/v1/uploads/`;
          const options = await fetch(endpoint, { method: 'OPTIONS' });
          assert.deepEqual([options.status, options.headers.get('tus-version')], [204, '1.0.0']);
          assert.match(
            await tusUpload(below, 'slash', { format: 'file', file: FILE }, { endpoint, chunkSize: 50_000 }),
            new RegExp(`^${endpoint}[\\w-]{32}$`),
          );
        }
        assert.equal((await readDocument(below, 'slash')).digest, digestOf(FILE));
      } finally {
        await below.close();
      }
    });

    test('accepts the metadata that Uppy always sends: uses the file name, ignores the rest', async () => {
      const uppyFields = {
        name: 'tiles.bin',
        type: 'application/octet-stream',
        relativePath: 'null',
        filename: 'tiles.bin',
        filetype: 'application/octet-stream',
      };
      const url = await createUpload(server, 'uppy', FILE.length, { fields: uppyFields });
      assert.equal(
        (await tusRequest('HEAD', url)).headers.get('upload-metadata'),
        metadataHeader({ id: 'uppy', format: 'file', fileName: 'tiles.bin' }),
      );
      assert.equal((await patchUpload(url, 0, FILE)).status, 204);
      assert.equal((await readDocument(server, 'uppy')).fileName, 'tiles.bin');
      const file = await npmTarball({ name: 'from-uppy' });
      await tusUpload(server, 'uppy-npm', { file, fields: uppyFields });
      assert.equal((await readDocument(server, 'uppy-npm')).tarballs?.['noarch']?.digest, digestOf(file));
    });

    test('rejects a creation with more bytes than it announces, and keeps nothing of it', async () => {
      const assertUntouched = await rememberStored(server);
      await readProblem(await create(announce('more', 10), FILE), 413, 'upload_too_large');
      assert.deepEqual(await query(server, `select id from resumable_uploads where artefact_id = 'more'`), []);
      await assertUntouched();
    });

    test('answers 100 Continue once it accepts the body', async () => {
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

    test('returns a location that works below a path prefix and behind any proxy', async () => {
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
  });
}
