import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import {
  fieldPart,
  filePart,
  multipartBody,
  MULTIPART_TYPE,
  openConnection,
  requestHead,
  type RawPart,
} from '../support/raw-http.ts';
import { readStoredState, rememberStored } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer, type UploadForm } from '../support/test-server.ts';
import { uploadArtefact } from './documents.ts';

const TARBALL = await npmTarball();
const npm = (fields: Record<string, string> = {}): UploadForm => ({ file: TARBALL, fields });
const file = (fields: Record<string, string> = {}, fileName = 'france.mbtiles'): UploadForm => ({
  format: 'file',
  file: Buffer.from('x'),
  fileName,
  fields,
});
const tooLong = JSON.stringify({ fr: 'x'.repeat(2001) });

/** [reason, id, form, code]; the status is always 400. */
const REFUSALS: [why: string, id: string, form: UploadForm, code: string][] = [
  ['the reserved id npm', 'npm', npm(), 'artefact_id_invalid'],
  ['the reserved id file', 'file', file(), 'artefact_id_invalid'],
  ['the reserved id groups', 'groups', npm(), 'artefact_id_invalid'],
  ['an id with path traversal', 'a/../b', npm(), 'artefact_id_invalid'],
  ['an id with an empty part', 'a//b', npm(), 'artefact_id_invalid'],
  ['an id that begins with a slash', '/a', file(), 'artefact_id_invalid'],
  ['an id with a backslash', 'a\\b', npm(), 'artefact_id_invalid'],
  ['an id with a control character', 'a\nb', npm(), 'artefact_id_invalid'],
  ['an id with a NUL', 'a\0b', npm(), 'artefact_id_invalid'],
  ['an id of 257 characters', 'x'.repeat(257), npm(), 'artefact_id_invalid'],
  ['an id longer than any path', 'x'.repeat(1100), npm(), 'request_invalid'],

  ['an architecture in upper case', 'a', npm({ architecture: 'X64' }), 'architecture_invalid'],
  ['an architecture with path traversal', 'a', npm({ architecture: '../x64' }), 'architecture_invalid'],
  ['an architecture of 65 characters', 'a', npm({ architecture: 'x'.repeat(65) }), 'architecture_invalid'],
  ['an architecture that ends with a line feed', 'a', npm({ architecture: 'x64\n' }), 'architecture_invalid'],

  ['an unknown category', 'a', npm({ category: 'plugin' }), 'category_invalid'],
  ['a category in another case', 'a', npm({ category: 'Processing' }), 'category_invalid'],
  ['a file in the category processing', 'a', file({ category: 'processing' }), 'category_invalid'],
  ['a file in the category catalog', 'a', file({ category: 'catalog' }), 'category_invalid'],
  ['a file in the category application', 'a', file({ category: 'application' }), 'category_invalid'],

  ['a title that is not JSON', 'a', npm({ title: 'Import' }), 'field_invalid'],
  ['a title that is a JSON string', 'a', npm({ title: '"Import"' }), 'field_invalid'],
  ['a title in another language', 'a', npm({ title: '{"de":"Einfuhr"}' }), 'field_invalid'],
  ['a title that is a number', 'a', npm({ title: '{"fr":7}' }), 'field_invalid'],
  ['a title that is null', 'a', npm({ title: 'null' }), 'field_invalid'],
  ['a title over 2,000 characters', 'a', npm({ title: tooLong }), 'field_invalid'],
  ['a title with a NUL', 'a', npm({ title: '{"fr":"a\\u0000b"}' }), 'field_invalid'],
  ['a description that is not JSON', 'a', file({ description: '{fr:"x"}' }), 'field_invalid'],
  ['a description over 2,000 characters', 'a', npm({ description: tooLong }), 'field_invalid'],
  ['a description that is an array', 'a', npm({ description: '[]' }), 'field_invalid'],

  ['a file name with a slash', 'a', file({ fileName: 'a/b' }), 'file_name_invalid'],
  ['a file name with path traversal', 'a', file({ fileName: '..' }), 'file_name_invalid'],
  ['a file name with a backslash', 'a', file({ fileName: 'a\\b' }), 'file_name_invalid'],
  ['a file name with a control character', 'a', file({ fileName: 'a\u0007' }), 'file_name_invalid'],
  ['a file name over 255 bytes', 'a', file({ fileName: 'é'.repeat(128) }), 'file_name_invalid'],

  ['no file', 'a', { fields: { title: '{"fr":"x"}' } }, 'multipart_invalid'],
  ['an unknown field, also without a value', 'a', npm({ colour: '' }), 'multipart_invalid'],
  ['an unknown field', 'a', npm({ colour: 'red' }), 'multipart_invalid'],
  ['the field fileName on an npm upload', 'a', npm({ fileName: 'x' }), 'multipart_invalid'],
  ['the field architecture on a file upload', 'a', file({ architecture: 'x64' }), 'multipart_invalid'],
];

/** Forms that FormData cannot create. */
const RAW: [why: string, parts: RawPart[], path?: string][] = [
  ['two files', [filePart(TARBALL), filePart(TARBALL)]],
  ['the file in another field', [filePart(TARBALL, { name: 'tarball' })]],
  ['a field twice', [fieldPart('category', 'other'), fieldPart('category', 'catalog'), filePart(TARBALL)]],
  ['an unknown field after the file', [filePart(TARBALL), fieldPart('colour', 'red')]],
  [
    'a second file after a whole upload',
    [filePart(TARBALL), fieldPart('category', 'other'), filePart('x', { name: 'other' })],
  ],
];

for (const dialect of DIALECTS) {
  describe(`an upload on ${dialect} is rejected, and nothing is stored, for`, () => {
    let server: TestServer;
    let assertUntouched: () => Promise<void>;
    const url = (id: string) => `${server.url}/api/v1/artefacts/npm/${encodeURIComponent(id)}`;

    before(async () => {
      server = await startTestServer({ dialect });
      await uploadArtefact(server, 'present', { file: TARBALL });
      assertUntouched = await rememberStored(server);
    });
    after(() => server.close());

    for (const [why, id, form, code] of REFUSALS) {
      test(why, async () => {
        await readProblem(await server.upload(id, form), 400, code);
        await assertUntouched();
      });
    }

    for (const [why, parts] of RAW) {
      test(why, async () => {
        const response = await fetch(url('a'), {
          method: 'POST',
          headers: { ...server.internal, 'content-type': MULTIPART_TYPE },
          body: multipartBody(parts),
        });
        await readProblem(response, 400, 'multipart_invalid');
        await assertUntouched();
      });
    }

    test('ids that most clients normalise', async () => {
      for (const id of ['.', '..', '%2e%2e', '']) {
        const connection = await openConnection(server.url);
        await connection.send(
          requestHead('POST', `/api/v1/artefacts/npm/${id}`, {
            ...server.internal,
            'content-type': MULTIPART_TYPE,
            'content-length': 0,
          }),
        );
        const { status, body } = await connection.answer();
        assert.deepEqual([status, (JSON.parse(body) as { code: string }).code], [400, 'artefact_id_invalid'], id);
        connection.end();
      }
      await assertUntouched();
    });

    test('a body that is not a form, or is truncated', async () => {
      const post = (body: Uint8Array | string, type: string) =>
        fetch(url('a'), { method: 'POST', headers: { ...server.internal, 'content-type': type }, body });
      await readProblem(await post(TARBALL, 'application/gzip'), 400, 'multipart_invalid');
      await readProblem(await post('{}', 'application/json'), 400, 'multipart_invalid');
      await readProblem(await post('garbage', MULTIPART_TYPE), 400, 'multipart_invalid');
      await readProblem(await post(TARBALL, 'multipart/form-data'), 400, 'multipart_invalid');
      await readProblem(await post(multipartBody([filePart(TARBALL)], ''), MULTIPART_TYPE), 400, 'multipart_invalid');
      await readProblem(
        await post(multipartBody([filePart(TARBALL)]).subarray(0, 250), MULTIPART_TYPE),
        400,
        'multipart_invalid',
      );
      await readProblem(await fetch(url('a'), { method: 'POST', headers: server.internal }), 400, 'multipart_invalid');
      await assertUntouched();
    });

    test('callers who may not upload', async () => {
      const readKey = await server.readKey({ type: 'organization', id: 'acme' });
      for (const [headers, status, code] of [
        [{}, 401, 'unauthenticated'],
        [{ 'x-api-key': `reg_00000000_${'0'.repeat(64)}` }, 401, 'api_key_invalid'],
        [{ authorization: 'Bearer nonsense' }, 401, 'api_key_invalid'],
        [{ 'x-api-key': readKey }, 403, 'forbidden'],
        [{ 'x-secret-key': 'wrong' }, 401, 'secret_key_wrong'],
        [{ ...server.internal, 'x-forwarded-host': 'example.org' }, 421, 'secret_key_through_proxy'],
        [{ ...server.internal, forwarded: 'for=192.0.2.1;host=example.org' }, 421, 'secret_key_through_proxy'],
        [{ ...server.internal, 'x-account': '{"type":"user","id":"uma"}' }, 403, 'account_read_only'],
        [{ ...server.internal, 'x-account': 'acme' }, 400, 'account_header_invalid'],
        [{ ...(await server.superadmin()), origin: 'https://evil.example' }, 403, 'cross_origin'],
        [{ ...(await server.superadmin()), 'sec-fetch-site': 'cross-site' }, 403, 'cross_origin'],
        [{ cookie: 'better-auth.session_token=forged.signature' }, 401, 'unauthenticated'],
      ] as const) {
        await readProblem(await server.upload('a', { ...npm(), headers: { ...headers } }), status, code);
        await readProblem(await server.upload('present', { ...file(), headers: { ...headers } }), status, code);
      }
      await assertUntouched();
    });

    test('an expired key', async () => {
      const key = await server.uploadKey({ expiresAt: '2020-01-01T00:00:00Z' });
      await readProblem(await server.upload('a', { ...npm(), headers: { 'x-api-key': key } }), 401, 'api_key_invalid');
      await assertUntouched();
    });

    test('these reasons only: a valid upload is accepted afterwards', async () => {
      const { artefacts } = await readStoredState(server);
      assert.deepEqual(
        artefacts.map((artefact) => artefact.split(' ')[0]),
        ['present'],
      );
      assert.equal((await server.upload('a', npm())).status, 201);
    });
  });
}
