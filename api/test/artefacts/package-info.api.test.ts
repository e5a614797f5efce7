import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { patchArtefact, readDocument, uploadArtefact, type DocumentList } from './documents.ts';

const ID = '@acme/import@1';
const MANIFEST = {
  description: '  Imports GeoPackages\n',
  keywords: ['télédétection', 'geo'],
  repository: 'github:acme/import',
  homepage: 'https://example.org/import',
  bugs: { url: 'https://example.org/issues' },
};
const EXPECTED = {
  packageDescription: 'Imports GeoPackages',
  keywords: ['télédétection', 'geo'],
  links: {
    repository: 'https://github.com/acme/import',
    homepage: 'https://example.org/import',
    issues: 'https://example.org/issues',
  },
};

for (const dialect of DIALECTS)
  describe(`what a package.json says of the package, on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());

    const search = async (q: string): Promise<string[]> => {
      const response = await server.api('GET', `/artefacts?q=${encodeURIComponent(q)}`, { headers: server.internal });
      return ((await response.json()) as DocumentList).results.map(({ _id }) => _id);
    };

    test('is in the document of the artefact, for every caller, and is searched', async () => {
      assert.partialDeepStrictEqual(
        await uploadArtefact(server, ID, { file: await npmTarball({ name: '@acme/import', manifest: MANIFEST }) }),
        EXPECTED,
      );
      await patchArtefact(server, ID, { public: true, description: { en: 'A curated description' } });
      for (const headers of [server.internal, {}])
        assert.partialDeepStrictEqual(await readDocument(server, ID, headers), EXPECTED);
      for (const q of ['geopackages', 'teledetection', 'curated import']) assert.deepEqual(await search(q), [ID]);
    });

    test('is that of the latest upload', async () => {
      await uploadArtefact(server, ID, {
        file: await npmTarball({ name: '@acme/import' }),
        fields: { architecture: 'x64' },
      });
      const document = await readDocument(server, ID);
      for (const field of Object.keys(EXPECTED)) assert.ok(!(field in document), field);
      assert.deepEqual(await search('geopackages'), []);
    });

    test('native code of the package itself is told apart from that of its dependencies', async () => {
      const native = { 'binding.gyp': '{}' };
      const bundled = { 'node_modules/a/binding.gyp': '{}' };
      const flagsOf = async (id: string, files: Record<string, string>) => {
        await uploadArtefact(server, id, { file: await npmTarball({ files }) });
        const { hasNativeModules, tarballs } = await readDocument(server, id);
        const response = await server.api('GET', `/artefacts/${id}/download`, { headers: server.internal });
        await response.arrayBuffer();
        const header = response.headers.get('x-artefact-has-native-modules');
        return [tarballs?.['noarch']?.hasNativeCode, hasNativeModules, header];
      };
      assert.deepEqual(await flagsOf('native', native), [true, false, 'false']);
      assert.deepEqual(await flagsOf('bundled', bundled), [false, true, 'true']);
      assert.deepEqual(await flagsOf('both', { ...native, ...bundled }), [true, true, 'true']);
      assert.deepEqual(await flagsOf('none', { 'index.js': '' }), [false, false, 'false']);
    });
  });
