// This version opens, reads and writes what each earlier version has left.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createServer, scrub, type BerthServer } from '../../index.ts';
import { DOCUMENT_VERSION } from '../../src/artefacts/document.ts';
import { knownMigrations } from '../../src/db/migrate.ts';
import { SCAN_VERSION } from '../../src/tarballs/index.ts';
import { eventually } from '../support/eventually.ts';
import { query } from '../support/stored-state.ts';
import { DIALECTS } from '../support/test-database.ts';
import { createTestClient, signIn, type TestClient } from '../support/test-client.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { artefactPath, readDocuments, readSlots, sha256 } from './fill.ts';
import { INTERNAL_SECRET, keptVersions, restoreData, type RestoredData } from './kept-data.ts';

test('data of at least one earlier version is kept, each with a migration that this version knows', () => {
  const versions = keptVersions();
  assert.ok(versions.length > 0);
  assert.deepEqual(
    versions.filter((version) => !knownMigrations().includes(version)),
    [],
  );
});

for (const version of keptVersions())
  for (const dialect of DIALECTS)
    describe(`data that a version with the migration ${version} left on ${dialect}`, () => {
      let data: RestoredData;
      let server: BerthServer;
      let client: TestClient;
      let admin: Record<string, string>;
      let env: Record<string, string>;
      before(async () => {
        data = await restoreData(version, dialect);
        env = { ...data.env, HOST: '127.0.0.1', PORT: '0', LOG_LEVEL: 'error' };
        server = await createServer({ env });
        client = createTestClient(server.address, INTERNAL_SECRET);
        admin = await signIn(server.address, data.contents.admin.email, data.contents.admin.password);
      });
      after(async () => {
        await server.close();
        await data.remove();
      });

      test('has every document, of which fields may be added', async () => {
        const documents = await readDocuments(server.address, client.internal);
        assert.deepEqual(Object.keys(documents).sort(), Object.keys(data.contents.documents).sort());
        // Short IDs of keys began with this prefix.
        const expected = JSON.stringify(data.contents.documents).replaceAll('"shortId":"reg_', '"shortId":"');
        for (const [id, document] of Object.entries(JSON.parse(expected) as typeof data.contents.documents))
          assert.partialDeepStrictEqual(documents[id], document);
      });

      test('has every byte', async () => {
        assert.deepEqual(await readSlots(server.address, client.internal), data.contents.slots);
        const { path, sha256: digest } = data.contents.thumbnail;
        assert.equal(sha256(await (await client.api('GET', path)).arrayBuffer()), digest);
        const { checkedBlobs, damaged, missing } = await scrub(env);
        assert.ok(checkedBlobs >= 3);
        assert.deepEqual([damaged, missing], [[], []]);
      });

      test('has the files of every package, and finds artefacts by their words', async () => {
        const files = await client.api('GET', `${artefactPath('@acme/plugin@1')}/files/README.md`, {
          headers: client.internal,
        });
        assert.equal(await files.text(), '# A plug-in\n');
        const found = await client.api('GET', '/artefacts?q=module', { headers: client.internal });
        assert.equal(((await found.json()) as { count: number }).count, 1);
      });

      test('becomes what this version would have stored, soon after the start', async () => {
        const outdated = `select
          (select count(*) from artefact_documents
            where document_version < ${DOCUMENT_VERSION} or versioned_etag <> limited_etag) as documents,
          (select count(*) from tarball_scans where scan_version < ${SCAN_VERSION}) as scans,
          (select count(*) from tarball_scans where integrity is null) as incomplete`;
        await eventually(async () => {
          const [row] = await query<Record<string, unknown>>({ server }, outdated);
          assert.deepEqual(Object.values(row ?? {}).map(Number), [0, 0, 0]);
        });
        const files = await client.api('GET', `${artefactPath('@acme/plugin@1')}/files`, { headers: client.internal });
        const { results } = (await files.json()) as { results: { type: string; digest?: string }[] };
        for (const { type, digest } of results) assert.equal(digest !== undefined, type === 'file');
      });

      test('has its users, organisations, keys, mirrors and trusted publishers', async () => {
        const count = async (path: string) =>
          ((await (await client.api('GET', path, { headers: admin })).json()) as { count: number }).count;
        assert.deepEqual(
          {
            users: await count('/users'),
            organizations: await count('/organizations'),
            keys: await count('/api-keys'),
            remotes: await count('/remote-registries'),
            publishers: await count('/trusted-publishers'),
          },
          data.contents.counts,
        );
        assert.ok((await count('/audit-events')) > 10);
      });

      test('can be read and written by the keys of then', async () => {
        const { upload, read } = data.contents.keys;
        const file = await npmTarball({ name: '@acme/plugin', version: '1.1.0' });
        const published = await client.upload('@acme/plugin@1', { file, headers: { 'x-api-key': upload } });
        assert.equal(published.status, 201, await published.text());
        const bytes = await client.api('GET', `${artefactPath('@acme/plugin@1')}/download`, {
          headers: { 'x-api-key': read },
        });
        assert.equal(sha256(await bytes.arrayBuffer()), sha256(new Uint8Array(file).buffer));
        const shared = await client.api('GET', artefactPath('@acme/tiles'), { headers: { 'x-api-key': read } });
        assert.equal(shared.status, 200);
        const added = await client.upload('@acme/new', { format: 'file', file, headers: { 'x-api-key': upload } });
        assert.equal(added.status, 201, await added.text());
      });

      test('can be edited and deleted', async () => {
        const edit = await client.api('PATCH', artefactPath('@acme/tiles'), {
          headers: admin,
          body: { deprecated: false },
        });
        assert.equal(edit.status, 200, await edit.text());
        const deleted = await client.api('DELETE', artefactPath('@acme/tiles'), { headers: admin });
        assert.equal(deleted.status, 204);
        assert.equal((await client.api('GET', artefactPath('@acme/tiles'), { headers: admin })).status, 404);
      });
    });
