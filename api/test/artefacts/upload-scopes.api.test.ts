import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { MULTIPART_TYPE, openConnection, requestHead } from '../support/raw-http.ts';
import { rememberStored } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { patchArtefact, uploadArtefact } from './documents.ts';

const GIB = 1024 ** 3;

interface Attempt {
  id?: string;
  packageName?: string;
  /** In the form. */
  category?: string;
  /** In the manifest. */
  manifestCategory?: string;
  format?: 'file';
}

const REJECTED = 'rejected' as const;
const ACCEPTED = 'accepted' as const;

/** [scopes of the key, upload, outcome]; the artefact `present` has the category catalog. */
const CASES: [scopes: Record<string, string>, attempt: Attempt, outcome: typeof ACCEPTED | typeof REJECTED][] = [
  [{}, {}, ACCEPTED],
  [{}, { format: 'file' }, ACCEPTED],

  [{ allowedName: '@acme/plugin@1' }, { id: '@acme/plugin@1' }, ACCEPTED],
  [{ allowedName: '@acme/plugin@1' }, { id: '@acme/plugin@10' }, REJECTED],
  [{ allowedName: '@acme/plugin@1' }, { id: '@ACME/plugin@1' }, REJECTED],
  [{ allowedName: 'f' }, { id: 'f', format: 'file' }, ACCEPTED],
  [{ allowedName: 'f' }, { id: 'g', format: 'file' }, REJECTED],

  [{ allowedNamePrefix: '@acme/' }, { id: '@acme/anything' }, ACCEPTED],
  [{ allowedNamePrefix: '@acme/' }, { id: '@acme' }, REJECTED],
  [{ allowedNamePrefix: '@acme/' }, { id: 'x@acme/anything' }, REJECTED],
  [{ allowedNamePrefix: 'maps/' }, { id: 'maps/france', format: 'file' }, ACCEPTED],

  [{ allowedPackageName: '@acme/plugin' }, { packageName: '@acme/plugin' }, ACCEPTED],
  [{ allowedPackageName: '@acme/plugin' }, { packageName: '@acme/plugin2' }, REJECTED],
  [{ allowedPackageName: '@acme/plugin' }, { id: '@acme/plugin', packageName: 'other' }, REJECTED],
  [{ allowedPackageName: '@acme/plugin' }, { format: 'file' }, REJECTED],

  [{ allowedCategory: 'catalog' }, { category: 'catalog' }, ACCEPTED],
  [{ allowedCategory: 'catalog' }, { manifestCategory: 'catalog' }, ACCEPTED],
  [{ allowedCategory: 'other' }, {}, ACCEPTED],
  [{ allowedCategory: 'catalog' }, {}, REJECTED],
  [{ allowedCategory: 'catalog' }, { category: 'processing' }, REJECTED],
  [{ allowedCategory: 'catalog' }, { category: 'processing', manifestCategory: 'catalog' }, REJECTED],
  [{ allowedCategory: 'catalog' }, { category: 'catalog', manifestCategory: 'processing' }, ACCEPTED],
  [{ allowedCategory: 'catalog' }, { id: 'present' }, ACCEPTED],
  [{ allowedCategory: 'catalog' }, { id: 'present', category: 'processing' }, REJECTED],
  [{ allowedCategory: 'processing' }, { id: 'present', category: 'processing' }, REJECTED],
  [{ allowedCategory: 'processing' }, { id: 'present' }, REJECTED],
  [{ allowedCategory: 'tileset' }, { format: 'file', category: 'tileset' }, ACCEPTED],
  [{ allowedCategory: 'tileset' }, { format: 'file' }, REJECTED],

  [
    { allowedName: 'n1', allowedNamePrefix: 'n', allowedPackageName: 'p', allowedCategory: 'catalog' },
    { id: 'n1', packageName: 'p', category: 'catalog' },
    ACCEPTED,
  ],
  [{ allowedName: 'n1', allowedNamePrefix: 'm' }, { id: 'n1' }, REJECTED],
  [
    { allowedNamePrefix: 'n', allowedPackageName: 'p', allowedCategory: 'catalog' },
    { id: 'm', packageName: 'p', category: 'catalog' },
    REJECTED,
  ],
  [
    { allowedNamePrefix: 'n', allowedPackageName: 'p', allowedCategory: 'catalog' },
    { id: 'n2', packageName: 'q', category: 'catalog' },
    REJECTED,
  ],
  [
    { allowedNamePrefix: 'n', allowedPackageName: 'p', allowedCategory: 'catalog' },
    { id: 'n2', packageName: 'p', category: 'other' },
    REJECTED,
  ],
];

for (const dialect of DIALECTS) {
  describe(`the scopes of a key on ${dialect}`, () => {
    let server: TestServer;
    let newIds = 0;
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());

    for (const [scopes, { id, packageName = 'p', category, manifestCategory, format }, outcome] of CASES) {
      const attempt = Object.entries({ id, packageName, category, manifestCategory, format })
        .filter(([, value]) => value !== undefined)
        .map((entry) => entry.join(' '));
      test(`${JSON.stringify(scopes)}: ${attempt.join(', ')} is ${outcome}`, async () => {
        if (id === 'present') {
          await server.api('DELETE', '/artefacts/present', { headers: server.internal });
          await uploadArtefact(server, 'present', {
            file: await npmTarball({ name: 'p' }),
            fields: { category: 'catalog' },
          });
        }
        const assertUntouched = outcome === REJECTED ? await rememberStored(server) : undefined;
        const file = format
          ? Buffer.from('x')
          : await npmTarball({
              name: packageName,
              manifest: manifestCategory ? { registry: { category: manifestCategory } } : {},
            });
        const headers = { 'x-api-key': await server.uploadKey(scopes) };
        const response = await server.upload(id ?? `new-${++newIds}`, {
          format: format ?? 'npm',
          file,
          fields: category ? { category } : {},
          headers,
        });
        if (outcome === ACCEPTED) {
          assert.equal(response.status, 201, await response.text());
        } else {
          await readProblem(response, 403, 'key_scope');
          await assertUntouched?.();
        }
      });
    }

    test('of the id are checked before the body is read', async () => {
      for (const scopes of [{ allowedName: 'mine' }, { allowedNamePrefix: 'my-' }]) {
        const connection = await openConnection(server.url);
        await connection.send(
          requestHead('POST', '/api/v1/artefacts/npm/yours', {
            'x-api-key': await server.uploadKey(scopes),
            'content-type': MULTIPART_TYPE,
            'content-length': GIB,
            'expect': '100-continue',
          }),
        );
        const { status, body, interim } = await connection.answer();
        assert.deepEqual([status, (JSON.parse(body) as { code: string }).code, interim], [403, 'key_scope', []]);
        await connection.closed();
      }
    });

    test('apply to the key as a Bearer token too', async () => {
      const headers = { authorization: `Bearer ${await server.uploadKey({ allowedName: 'mine' })}` };
      await readProblem(await server.upload('yours', { file: await npmTarball(), headers }), 403, 'key_scope');
      await uploadArtefact(server, 'mine', { file: await npmTarball(), headers });
    });

    test('do not let a key of one category move an artefact into or out of it', async () => {
      await uploadArtefact(server, 'moved', { file: await npmTarball(), fields: { category: 'catalog' } });
      await patchArtefact(server, 'moved', { category: 'processing' });
      const headers = { 'x-api-key': await server.uploadKey({ allowedCategory: 'catalog' }) };
      const file = await npmTarball({ manifest: { registry: { category: 'catalog' } } });
      await readProblem(await server.upload('moved', { file, headers }), 403, 'key_scope');
      assert.equal((await patchArtefact(server, 'moved', {})).category, 'processing');
    });
  });
}
