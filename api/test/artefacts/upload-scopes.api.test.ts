import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { MULTIPART_TYPE, openConnection, requestHead } from '../support/raw-http.ts';
import { rememberStored } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { patched, uploaded } from './documents.ts';

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

const REFUSED = 'refused' as const;
const TAKEN = 'taken' as const;

/** [scopes of the key, what is uploaded, what comes of it]; the artefact `present` is of the category catalog. */
const CASES: [scopes: Record<string, string>, attempt: Attempt, outcome: typeof TAKEN | typeof REFUSED][] = [
  [{}, {}, TAKEN],
  [{}, { format: 'file' }, TAKEN],

  [{ allowedName: '@acme/plugin@1' }, { id: '@acme/plugin@1' }, TAKEN],
  [{ allowedName: '@acme/plugin@1' }, { id: '@acme/plugin@10' }, REFUSED],
  [{ allowedName: '@acme/plugin@1' }, { id: '@ACME/plugin@1' }, REFUSED],
  [{ allowedName: 'f' }, { id: 'f', format: 'file' }, TAKEN],
  [{ allowedName: 'f' }, { id: 'g', format: 'file' }, REFUSED],

  [{ allowedNamePrefix: '@acme/' }, { id: '@acme/anything' }, TAKEN],
  [{ allowedNamePrefix: '@acme/' }, { id: '@acme' }, REFUSED],
  [{ allowedNamePrefix: '@acme/' }, { id: 'x@acme/anything' }, REFUSED],
  [{ allowedNamePrefix: 'maps/' }, { id: 'maps/france', format: 'file' }, TAKEN],

  [{ allowedPackageName: '@acme/plugin' }, { packageName: '@acme/plugin' }, TAKEN],
  [{ allowedPackageName: '@acme/plugin' }, { packageName: '@acme/plugin2' }, REFUSED],
  [{ allowedPackageName: '@acme/plugin' }, { id: '@acme/plugin', packageName: 'other' }, REFUSED],
  [{ allowedPackageName: '@acme/plugin' }, { format: 'file' }, REFUSED],

  [{ allowedCategory: 'catalog' }, { category: 'catalog' }, TAKEN],
  [{ allowedCategory: 'catalog' }, { manifestCategory: 'catalog' }, TAKEN],
  [{ allowedCategory: 'other' }, {}, TAKEN],
  [{ allowedCategory: 'catalog' }, {}, REFUSED],
  [{ allowedCategory: 'catalog' }, { category: 'processing' }, REFUSED],
  [{ allowedCategory: 'catalog' }, { category: 'processing', manifestCategory: 'catalog' }, REFUSED],
  [{ allowedCategory: 'catalog' }, { category: 'catalog', manifestCategory: 'processing' }, TAKEN],
  [{ allowedCategory: 'catalog' }, { id: 'present' }, TAKEN],
  [{ allowedCategory: 'catalog' }, { id: 'present', category: 'processing' }, REFUSED],
  [{ allowedCategory: 'processing' }, { id: 'present', category: 'processing' }, REFUSED],
  [{ allowedCategory: 'processing' }, { id: 'present' }, REFUSED],
  [{ allowedCategory: 'tileset' }, { format: 'file', category: 'tileset' }, TAKEN],
  [{ allowedCategory: 'tileset' }, { format: 'file' }, REFUSED],

  [
    { allowedName: 'n1', allowedNamePrefix: 'n', allowedPackageName: 'p', allowedCategory: 'catalog' },
    { id: 'n1', packageName: 'p', category: 'catalog' },
    TAKEN,
  ],
  [{ allowedName: 'n1', allowedNamePrefix: 'm' }, { id: 'n1' }, REFUSED],
  [
    { allowedNamePrefix: 'n', allowedPackageName: 'p', allowedCategory: 'catalog' },
    { id: 'm', packageName: 'p', category: 'catalog' },
    REFUSED,
  ],
  [
    { allowedNamePrefix: 'n', allowedPackageName: 'p', allowedCategory: 'catalog' },
    { id: 'n2', packageName: 'q', category: 'catalog' },
    REFUSED,
  ],
  [
    { allowedNamePrefix: 'n', allowedPackageName: 'p', allowedCategory: 'catalog' },
    { id: 'n2', packageName: 'p', category: 'other' },
    REFUSED,
  ],
];

for (const dialect of DIALECTS) {
  describe(`the scopes of a key on ${dialect}`, () => {
    let server: TestServer;
    let fresh = 0;
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
          await uploaded(server, 'present', {
            file: await npmTarball({ name: 'p' }),
            fields: { category: 'catalog' },
          });
        }
        const assertUntouched = outcome === REFUSED ? await rememberStored(server) : undefined;
        const file = format
          ? Buffer.from('x')
          : await npmTarball({
              name: packageName,
              manifest: manifestCategory ? { registry: { category: manifestCategory } } : {},
            });
        const headers = { 'x-api-key': await server.uploadKey(scopes) };
        const response = await server.upload(id ?? `fresh-${++fresh}`, {
          format: format ?? 'npm',
          file,
          fields: category ? { category } : {},
          headers,
        });
        if (outcome === TAKEN) {
          assert.equal(response.status, 201, await response.text());
        } else {
          await readProblem(response, 403, 'key_scope');
          await assertUntouched?.();
        }
      });
    }

    test('of the id are looked at before the body is read', async () => {
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

    test('hold for the key as Bearer token too', async () => {
      const headers = { authorization: `Bearer ${await server.uploadKey({ allowedName: 'mine' })}` };
      await readProblem(await server.upload('yours', { file: await npmTarball(), headers }), 403, 'key_scope');
      await uploaded(server, 'mine', { file: await npmTarball(), headers });
    });

    test('do not let a key of a category move an artefact into it or out of it', async () => {
      await uploaded(server, 'moved', { file: await npmTarball(), fields: { category: 'catalog' } });
      await patched(server, 'moved', { category: 'processing' });
      const headers = { 'x-api-key': await server.uploadKey({ allowedCategory: 'catalog' }) };
      const file = await npmTarball({ manifest: { registry: { category: 'catalog' } } });
      await readProblem(await server.upload('moved', { file, headers }), 403, 'key_scope');
      assert.equal((await patched(server, 'moved', {})).category, 'processing');
    });
  });
}
