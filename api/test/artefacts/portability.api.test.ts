import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { addRemote, share } from '../remotes/pair.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { patchArtefact, readDocument, uploadArtefact, type Document } from './documents.ts';

const ID = '@acme/odd@1';
const MANIFEST_TWICE = { 'Package.json': '{}', 'nul': 'x' };
const WARNINGS = [
  { code: 'name_collision', count: 2, paths: ['Package.json', 'package.json'] },
  { code: 'windows_name', count: 1, paths: ['nul'] },
];

/** The warnings of the only slot, their paths sorted. */
function warningsOf({ tarballs }: Document): object[] | undefined {
  return tarballs?.['noarch']?.warnings?.map(({ paths, ...warning }) => ({
    ...warning,
    ...(paths && { paths: paths.toSorted() }),
  }));
}

for (const dialect of DIALECTS) {
  describe(`names that not all systems can unpack on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());

    test('are accepted, and reported to the uploader', async () => {
      const key = await server.uploadKey();
      const odd = await npmTarball({ files: MANIFEST_TWICE });
      const receipt = await uploadArtefact(server, ID, { file: odd, headers: { 'x-api-key': key } });
      assert.deepEqual(warningsOf(receipt), WARNINGS);
    });

    test('are in the document; their names, as the list of files, not for everybody who sees it', async () => {
      await share(server, ID);
      assert.deepEqual(warningsOf(await readDocument(server, ID)), WARNINGS);
      assert.deepEqual(
        warningsOf(await readDocument(server, ID, {})),
        WARNINGS.map(({ code, count }) => ({ code, count })),
      );
    });

    test('stay reported when the artefact or another slot changes', async () => {
      assert.deepEqual(warningsOf(await patchArtefact(server, ID, { title: { en: 'Odd' } })), WARNINGS);
      const form = { file: await npmTarball(), fields: { architecture: 'x64' } };
      const document = await uploadArtefact(server, ID, form);
      assert.deepEqual([warningsOf(document), document.tarballs?.['x64']?.warnings], [WARNINGS, undefined]);
    });

    test('are found again in a mirror, also of bytes that are here already', async () => {
      const mirror = await startTestServer();
      try {
        const owner = { type: 'organization', id: 'mirrors' } as const;
        const remote = await addRemote(mirror, server.url, await server.readKey(owner));
        await remote.select(ID);
        assert.deepEqual(warningsOf(await readDocument(mirror, ID)), WARNINGS);
        await uploadArtefact(server, '@acme/same@1', { file: await npmTarball({ files: MANIFEST_TWICE }) });
        await share(server, '@acme/same@1');
        await remote.select('@acme/same@1');
        assert.deepEqual(warningsOf(await readDocument(mirror, '@acme/same@1')), WARNINGS);
      } finally {
        await mirror.close();
      }
    });

    test('are no longer reported once they are gone', async () => {
      assert.equal(warningsOf(await uploadArtefact(server, ID, { file: await npmTarball() })), undefined);
    });
  });
}
