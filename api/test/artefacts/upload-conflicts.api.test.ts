import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { MULTIPART_TYPE, openConnection, requestHead } from '../support/raw-http.ts';
import { beginSlowUpload } from '../support/slow-upload.ts';
import { assertTidy, query, readStoredState, rememberStored } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { readDocument, uploaded } from './documents.ts';
import { makeMirror, ORIGIN } from './mirrors.ts';

const TARBALL = await npmTarball({ name: 'p', files: { 'index.js': 'x'.repeat(5000) } });
const FILE = Buffer.from('content');

for (const dialect of DIALECTS) {
  describe(`an upload to an id that is taken, on ${dialect},`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
      await uploaded(server, 'npm-one', { file: TARBALL });
      await uploaded(server, 'file-one', { format: 'file', file: FILE });
      await uploaded(server, 'mirror', { file: TARBALL });
      await makeMirror(server, 'mirror');
    });
    after(() => server.close());

    test('is refused when the artefact is of the other format', async () => {
      const assertUntouched = await rememberStored(server);
      await readProblem(await server.upload('npm-one', { format: 'file', file: FILE }), 409, 'format_conflict');
      await readProblem(await server.upload('file-one', { file: TARBALL }), 409, 'format_conflict');
      await assertUntouched();
    });

    test('is refused when the artefact is a mirror, by its origin', async () => {
      const assertUntouched = await rememberStored(server);
      const { detail } = await readProblem(await server.upload('mirror', { file: TARBALL }), 409, 'mirrored');
      assert.ok(detail.includes(ORIGIN));
      await assertUntouched();
    });

    test('is refused when the artefact holds another package', async () => {
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

    test('is refused before the body where that is known', async () => {
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

  describe(`while an upload is under way, on ${dialect},`, () => {
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

    test('its key is revoked: it is refused, and nothing is stored', async () => {
      const { key, upload } = await begin('revoked', {});
      const { results } = (await (
        await server.api('GET', '/api-keys', { headers: await server.superadmin() })
      ).json()) as { results: { _id: string; shortId: string }[] };
      const id = results.find(({ shortId }) => key?.startsWith(shortId))?._id ?? '';
      assert.equal(
        (await server.api('DELETE', `/api-keys/${id}`, { headers: await server.superadmin() })).status,
        204,
      );
      const { status, code } = await upload.finish();
      assert.deepEqual([status, code], [401, 'api_key_revoked']);
      await assertLeftNothing('revoked');
    });

    test('its key expires: it is refused, and nothing is stored', async () => {
      const { upload } = await begin('expired', {});
      await query(server, `update api_keys set expires_at = '2020-01-01T00:00:00.000Z' returning id`);
      const { status, code } = await upload.finish();
      assert.deepEqual([status, code], [401, 'api_key_revoked']);
      await assertLeftNothing('expired');
    });

    test('its artefact moves to a category that its key does not cover: it is refused', async () => {
      await uploaded(server, 'moved', { file: TARBALL, fields: { category: 'catalog' } });
      const { upload } = await begin('moved', { allowedCategory: 'catalog' });
      await server.api('PATCH', '/artefacts/moved', { headers: server.internal, body: { category: 'processing' } });
      const before = await readDocument(server, 'moved');
      const { status, code } = await upload.finish();
      assert.deepEqual([status, code], [403, 'key_scope']);
      assert.deepEqual(await readDocument(server, 'moved'), before);
    });

    test('its artefact becomes a mirror: it is refused', async () => {
      await uploaded(server, 'mirrored', { file: TARBALL });
      const { upload } = await begin('mirrored');
      await makeMirror(server, 'mirrored');
      const before = await readDocument(server, 'mirrored');
      const { status, code } = await upload.finish();
      assert.deepEqual([status, code], [409, 'mirrored']);
      assert.deepEqual(await readDocument(server, 'mirrored'), before);
    });

    test('its id is taken by a file: it is refused', async () => {
      const { upload } = await begin('taken');
      await uploaded(server, 'taken', { format: 'file', file: FILE });
      const { status, code } = await upload.finish();
      assert.deepEqual([status, code], [409, 'format_conflict']);
      assert.equal((await readDocument(server, 'taken')).format, 'file');
      await assertTidy(server);
    });

    test('its id is taken by another package: it is refused', async () => {
      const { upload } = await begin('package');
      await uploaded(server, 'package', { file: await npmTarball({ name: 'q' }) });
      const { status, code } = await upload.finish();
      assert.deepEqual([status, code], [409, 'package_name_conflict']);
      await assertTidy(server);
    });

    test('its artefact is deleted: it makes a new one', async () => {
      await uploaded(server, 'deleted', { file: TARBALL, fields: { title: '{"en":"Old"}' } });
      const { upload } = await begin('deleted');
      await server.api('DELETE', '/artefacts/deleted', { headers: server.internal });
      assert.equal((await upload.finish()).status, 201);
      assert.equal((await readDocument(server, 'deleted')).title, undefined);
      await assertTidy(server);
    });

    test('nobody sees anything of it', async () => {
      await uploaded(server, 'unseen', { file: TARBALL });
      const before = await readDocument(server, 'unseen');
      const { upload } = await begin('unseen');
      assert.deepEqual(await readDocument(server, 'unseen'), before);
      assert.equal((await upload.finish()).status, 201);
    });
  });
}
