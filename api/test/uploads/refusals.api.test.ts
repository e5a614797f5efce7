import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { patchArtefact, readDocument, uploadArtefact } from '../artefacts/documents.ts';
import { makeMirror } from '../artefacts/mirrors.ts';
import { readProblem } from '../support/problems.ts';
import { query, rememberStored } from '../support/stored-state.ts';
import { buildTarball, npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import {
  createUpload,
  offsetOf,
  patchUpload,
  refusedTusUpload,
  tusRequest,
  tusUpload,
  type TusForm,
} from './tus-client.ts';

const TARBALL = await npmTarball({ name: 'p', files: { data: randomBytes(300_000) } });
const FILE = randomBytes(300_000);
const CHUNK_BYTES = 100_000;

/** [problem, form, status, code]; rejected with the first piece that shows the problem. */
const INVALID: [problem: string, form: TusForm, status: number, code: string][] = [
  ['data that is not gzip', { file: FILE }, 400, 'tarball_not_gzip'],
  ['a truncated tarball', { file: TARBALL.subarray(0, -1000) }, 400, 'tarball_truncated'],
  [
    'a tarball without a manifest',
    { file: await buildTarball([{ path: 'package/index.js', content: 'x' }]) },
    400,
    'manifest_missing',
  ],
  [
    'a path traversal in an entry',
    { file: await npmTarball({ files: { '../../evil': 'x' } }) },
    400,
    'tarball_unsafe_entry',
  ],
  [
    'too many entries',
    {
      file: await npmTarball({
        files: Object.fromEntries(Array.from({ length: 60 }, (_value, index) => [`f${index}`, ''])),
      }),
    },
    413,
    'tarball_too_many_entries',
  ],
  ['an empty npm upload', { file: Buffer.alloc(0) }, 400, 'tarball_not_gzip'],
];

for (const dialect of DIALECTS) {
  describe(`a resumable upload on ${dialect}`, () => {
    let server: TestServer;
    let assertUntouched: () => Promise<void>;
    before(async () => {
      server = await startTestServer({ dialect, env: { MAX_TAR_ENTRIES: '50' } });
      await uploadArtefact(server, 'npm-one', { file: TARBALL });
      await uploadArtefact(server, 'catalogued', { file: TARBALL, fields: { category: 'catalog' } });
      await uploadArtefact(server, 'mirror', { file: TARBALL });
      await makeMirror(server, 'mirror');
      assertUntouched = await rememberStored(server);
    });
    after(() => server.close());

    const assertNothingLeft = async () => {
      assert.deepEqual(await query(server, 'select id from resumable_uploads where document is null'), []);
      await assertUntouched();
    };
    const withKey = async (scopes: Record<string, string>) => ({
      headers: { 'x-api-key': await server.uploadKey(scopes) },
    });
    /** Sends all but the last byte, lets something happen, then sends the last byte. */
    async function sendAround(
      id: string,
      form: TusForm,
      meanwhile: () => Promise<unknown>,
      caller?: Record<string, string>,
    ): Promise<Response> {
      const url = await createUpload(server, id, form.file.length, {
        format: form.format ?? 'npm',
        ...(caller && { caller }),
      });
      assert.equal((await patchUpload(url, 0, form.file.subarray(0, -1), caller)).status, 204);
      await meanwhile();
      const response = await patchUpload(url, form.file.length - 1, form.file.subarray(-1), caller);
      if (response.status >= 400)
        assert.equal((await tusRequest('HEAD', url, caller && { caller })).status, caller ? 401 : 404);
      return response;
    }

    for (const [problem, form, status, code] of INVALID) {
      test(`is rejected for ${problem}, and leaves nothing`, async () => {
        await refusedTusUpload(server, 'bad', form, status, code, { chunkSize: CHUNK_BYTES });
        await assertNothingLeft();
      });
    }

    test('is rejected with the first piece that shows the problem, not with the last', async () => {
      const url = await createUpload(server, 'early', 50_000_000, { format: 'npm' });
      await readProblem(await patchUpload(url, 0, FILE), 400, 'tarball_not_gzip');
      assert.equal((await tusRequest('HEAD', url)).status, 404);
      await assertNothingLeft();
    });

    test('is rejected outside the scopes of its key: at its creation if possible, otherwise at its end', async () => {
      const file: TusForm = { format: 'file', file: FILE };
      const npm: TusForm = { file: TARBALL };
      const early: [Record<string, string>, string, TusForm][] = [
        [{ allowedName: 'a' }, 'b', npm],
        [{ allowedNamePrefix: '@acme/' }, 'acme', file],
        [{ allowedPackageName: 'p' }, 'f', file],
        [{ allowedCategory: 'tileset' }, 'f', file],
        [{ allowedCategory: 'catalog' }, 'n', { ...npm, fields: { category: 'processing' } }],
      ];
      for (const [scopes, id, form] of early) {
        let bytes = 0;
        await refusedTusUpload(server, id, form, 403, 'key_scope', {
          ...(await withKey(scopes)),
          onProgress: (sent) => {
            bytes = sent;
          },
        });
        assert.equal(bytes, 0);
      }
      for (const [scopes, id] of [
        [{ allowedPackageName: 'q' }, 'n'],
        [{ allowedCategory: 'catalog' }, 'n'],
        [{ allowedCategory: 'processing' }, 'catalogued'],
      ] as const)
        await refusedTusUpload(server, id, npm, 403, 'key_scope', await withKey(scopes));
      await assertNothingLeft();
    });

    test('is accepted within the scopes of its key', async () => {
      await tusUpload(
        server,
        'scoped/f',
        { format: 'file', file: FILE, fields: { category: 'tileset' } },
        await withKey({ allowedNamePrefix: 'scoped/', allowedCategory: 'tileset' }),
      );
      assert.equal((await readDocument(server, 'scoped/f')).category, 'tileset');
      await tusUpload(
        server,
        'scoped/n',
        { file: TARBALL, fields: { architecture: 'x64' } },
        await withKey({ allowedName: 'scoped/n', allowedPackageName: 'p' }),
      );
      assert.deepEqual(Object.keys((await readDocument(server, 'scoped/n')).tarballs ?? {}), ['x64']);
      assertUntouched = await rememberStored(server);
    });

    test('is rejected when its id is in use', async () => {
      await refusedTusUpload(server, 'npm-one', { format: 'file', file: FILE }, 409, 'format_conflict');
      await refusedTusUpload(server, 'mirror', { file: TARBALL }, 409, 'mirrored');
      await refusedTusUpload(
        server,
        'npm-one',
        { file: await npmTarball({ name: 'q' }) },
        409,
        'package_name_conflict',
      );
      await assertNothingLeft();
    });

    test('is rejected when its key was revoked meanwhile, and nothing is published', async () => {
      const key = await server.uploadKey();
      const response = await sendAround(
        'revoked',
        { file: TARBALL },
        async () => query(server, `update api_keys set expires_at = '2020-01-01T00:00:00.000Z' returning id`),
        { 'x-api-key': key },
      );
      await readProblem(response, 401, 'api_key_invalid');
      assert.equal((await server.api('GET', '/artefacts/revoked', { headers: server.internal })).status, 404);
      await query(
        server,
        `update resumable_uploads set expires_at = '2020-01-01T00:00:00.000Z' where artefact_id = 'revoked' ` +
          'returning id',
      );
    });

    test('is rejected at its end when another format, package or mirror has taken its id meanwhile', async () => {
      await readProblem(
        await sendAround('format', { file: TARBALL }, () =>
          uploadArtefact(server, 'format', { format: 'file', file: FILE }),
        ),
        409,
        'format_conflict',
      );
      await readProblem(
        await sendAround('package', { file: TARBALL }, async () =>
          uploadArtefact(server, 'package', { file: await npmTarball({ name: 'q' }) }),
        ),
        409,
        'package_name_conflict',
      );
      await readProblem(
        await sendAround('mirrored', { file: TARBALL }, async () => {
          await uploadArtefact(server, 'mirrored', { file: TARBALL });
          await makeMirror(server, 'mirrored');
        }),
        409,
        'mirrored',
      );
    });

    test('is rejected at its end when its artefact has left the category of its key meanwhile', async () => {
      await uploadArtefact(server, 'moved', { file: TARBALL, fields: { category: 'catalog' } });
      const key = { 'x-api-key': await server.uploadKey({ allowedCategory: 'catalog' }) };
      const url = await createUpload(server, 'moved', TARBALL.length, { format: 'npm', caller: key });
      await patchUpload(url, 0, TARBALL.subarray(0, -1), key);
      await patchArtefact(server, 'moved', { category: 'processing' });
      await readProblem(await patchUpload(url, TARBALL.length - 1, TARBALL.subarray(-1), key), 403, 'key_scope');
      assert.equal((await tusRequest('HEAD', url, { caller: key })).status, 404);
    });

    test('creates a new artefact when the existing one was deleted meanwhile', async () => {
      await uploadArtefact(server, 'deleted', { file: TARBALL, fields: { title: '{"en":"Old"}' } });
      assert.equal(
        (
          await sendAround('deleted', { file: TARBALL }, () =>
            server.api('DELETE', '/artefacts/deleted', { headers: server.internal }),
          )
        ).status,
        204,
      );
      assert.equal((await readDocument(server, 'deleted')).title, undefined);
    });

    test('must be started again when its bytes are lost', async () => {
      const url = await createUpload(server, 'lost', FILE.length);
      await patchUpload(url, 0, FILE.subarray(0, 100_000));
      await query(server, 'delete from blob_writers returning storage_key');
      await readProblem(await patchUpload(url, 100_000, FILE.subarray(100_000)), 410, 'upload_gone');
      assert.equal((await tusRequest('HEAD', url)).status, 404);
    });
  });

  describe(`a file system storage with ${dialect} that becomes unavailable during a resumable upload`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect, storage: 'fs' });
    });
    after(() => server.close());

    test('does not end it', async () => {
      const url = await createUpload(server, 'failing', FILE.length);
      await patchUpload(url, 0, FILE.subarray(0, 100_000));
      const blobs = join(server.dataDir, 'blobs');
      await rename(blobs, `${blobs}-away`);
      await readProblem(await patchUpload(url, 100_000, FILE.subarray(100_000)), 503, 'storage_unavailable');
      await rename(`${blobs}-away`, blobs);
      assert.equal(await offsetOf(url), 100_000);
      assert.equal((await patchUpload(url, 100_000, FILE.subarray(100_000))).status, 204);
      assert.equal((await readDocument(server, 'failing')).size, FILE.length);
    });
  });
}
