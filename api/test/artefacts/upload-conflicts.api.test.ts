import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { MULTIPART_TYPE, openConnection, requestHead } from '../support/raw-http.ts';
import { beginSlowUpload } from '../support/slow-upload.ts';
import { assertTidy, query, readStoredState, rememberStored } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { readDocument, uploadArtefact } from './documents.ts';
import { makeMirror, ORIGIN } from './mirrors.ts';

const TARBALL = await npmTarball({ name: 'p', files: { 'index.js': 'x'.repeat(5000) } });
const FILE = Buffer.from('content');

for (const dialect of DIALECTS) {
  describe(`an upload to an existing id, on ${dialect},`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
      await uploadArtefact(server, 'npm-one', { file: TARBALL });
      await uploadArtefact(server, 'file-one', { format: 'file', file: FILE });
      await uploadArtefact(server, 'mirror', { file: TARBALL });
      await makeMirror(server, 'mirror');
    });
    after(() => server.close());

    test('is rejected if the artefact has the other format', async () => {
      const assertUntouched = await rememberStored(server);
      await readProblem(await server.upload('npm-one', { format: 'file', file: FILE }), 409, 'format_conflict');
      await readProblem(await server.upload('file-one', { file: TARBALL }), 409, 'format_conflict');
      await assertUntouched();
    });

    test('is rejected if the artefact is a mirror, naming its origin', async () => {
      const assertUntouched = await rememberStored(server);
      const { detail } = await readProblem(await server.upload('mirror', { file: TARBALL }), 409, 'mirrored');
      assert.ok(detail.includes(ORIGIN));
      await assertUntouched();
    });

    test('is rejected if the artefact holds another package', async () => {
      const assertUntouched = await rememberStored(server);
      await readProblem(
        await server.upload('npm-one', { file: await npmTarball({ name: 'q' }) }),
        409,
        'package_name_conflict',
      );
      await readProblem(
        await server.upload('npm-one', { file: await npmTarball({ name: 'q' }), fields: { architecture: 'x64' } }),
        409,
        'package_name_conflict',
      );
      await assertUntouched();
    });

    test('is rejected before the body if the conflict is known', async () => {
      for (const [path, expected] of [
        ['file/npm-one', 'format_conflict'],
        ['npm/file-one', 'format_conflict'],
        ['npm/mirror', 'mirrored'],
      ] as const) {
        const connection = await openConnection(server.url);
        await connection.send(
          requestHead('POST', `/api/v1/artefacts/${path}`, {
            ...server.internal,
            'content-type': MULTIPART_TYPE,
            'content-length': 1e9,
            'expect': '100-continue',
          }),
        );
        const { status, body, interim } = await connection.answer();
        assert.deepEqual([status, (JSON.parse(body) as { code: string }).code, interim], [409, expected, []]);
        await connection.closed();
      }
    });
  });

  describe(`an upload in progress, on ${dialect},`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());

    const begin = async (id: string, scopes?: Record<string, string>) => {
      const key = scopes && (await server.uploadKey(scopes));
      return {
        key,
        upload: await beginSlowUpload(server, { id, file: TARBALL, ...(key && { headers: { 'x-api-key': key } }) }),
      };
    };
    const assertLeftNothing = async (id: string) => {
      await assertTidy(server);
      const { artefacts, slots } = await readStoredState(server);
      assert.ok(![...artefacts, ...slots].some((row) => row.startsWith(`${id} `)));
    };

    test('is rejected, and nothing is stored, if its key is revoked', async () => {
      const { key, upload } = await begin('revoked', {});
      const { results } = (await (
        await server.api('GET', '/api-keys', { headers: await server.superadmin() })
      ).json()) as { results: { _id: string; shortId: string }[] };
      const id = results.find(({ shortId }) => key?.startsWith(`reg_${shortId}_`))?._id ?? '';
      assert.equal(
        (await server.api('DELETE', `/api-keys/${id}`, { headers: await server.superadmin() })).status,
        204,
      );
      const { status, code } = await upload.finish();
      assert.deepEqual([status, code], [401, 'api_key_revoked']);
      await assertLeftNothing('revoked');
    });

    test('is rejected, and nothing is stored, if its key expires', async () => {
      const { upload } = await begin('expired', {});
      await query(server, `update api_keys set expires_at = '2020-01-01T00:00:00.000Z' returning id`);
      const { status, code } = await upload.finish();
      assert.deepEqual([status, code], [401, 'api_key_revoked']);
      await assertLeftNothing('expired');
    });

    test('is rejected if its artefact moves to a category outside the scope of its key', async () => {
      await uploadArtefact(server, 'moved', { file: TARBALL, fields: { category: 'catalog' } });
      const { upload } = await begin('moved', { allowedCategory: 'catalog' });
      await server.api('PATCH', '/artefacts/moved', { headers: server.internal, body: { category: 'processing' } });
      const before = await readDocument(server, 'moved');
      const { status, code } = await upload.finish();
      assert.deepEqual([status, code], [403, 'key_scope']);
      assert.deepEqual(await readDocument(server, 'moved'), before);
    });

    test('is rejected if its artefact becomes a mirror', async () => {
      await uploadArtefact(server, 'mirrored', { file: TARBALL });
      const { upload } = await begin('mirrored');
      await makeMirror(server, 'mirrored');
      const before = await readDocument(server, 'mirrored');
      const { status, code } = await upload.finish();
      assert.deepEqual([status, code], [409, 'mirrored']);
      assert.deepEqual(await readDocument(server, 'mirrored'), before);
    });

    test('is rejected if a file is uploaded to its id', async () => {
      const { upload } = await begin('file-instead');
      await uploadArtefact(server, 'file-instead', { format: 'file', file: FILE });
      const { status, code } = await upload.finish();
      assert.deepEqual([status, code], [409, 'format_conflict']);
      assert.equal((await readDocument(server, 'file-instead')).format, 'file');
      await assertTidy(server);
    });

    test('is rejected if another package is uploaded to its id', async () => {
      const { upload } = await begin('package');
      await uploadArtefact(server, 'package', { file: await npmTarball({ name: 'q' }) });
      const { status, code } = await upload.finish();
      assert.deepEqual([status, code], [409, 'package_name_conflict']);
      await assertTidy(server);
    });

    test('creates a new artefact if its artefact is deleted', async () => {
      await uploadArtefact(server, 'deleted', { file: TARBALL, fields: { title: '{"en":"Old"}' } });
      const { upload } = await begin('deleted');
      await server.api('DELETE', '/artefacts/deleted', { headers: server.internal });
      assert.equal((await upload.finish()).status, 201);
      assert.equal((await readDocument(server, 'deleted')).title, undefined);
      await assertTidy(server);
    });

    test('is invisible to readers', async () => {
      await uploadArtefact(server, 'unseen', { file: TARBALL });
      const before = await readDocument(server, 'unseen');
      const { upload } = await begin('unseen');
      assert.deepEqual(await readDocument(server, 'unseen'), before);
      assert.equal((await upload.finish()).status, 201);
    });
  });
}
