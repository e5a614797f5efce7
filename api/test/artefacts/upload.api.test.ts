import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { assertTidy, query, readStoredState } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { uploadArtefact, readDocument, type Document } from './documents.ts';

const SCHEMA = { type: 'object', properties: { url: { type: 'string' } } };

for (const dialect of DIALECTS) {
  describe(`an upload on ${dialect}`, () => {
    let server: TestServer;
    before(async () => {
      server = await startTestServer({ dialect });
    });
    after(() => server.close());

    test('to a new id creates a private artefact with the slot noarch and the fields of the manifest', async () => {
      const id = '@acme/plugin@1';
      const file = await npmTarball({
        manifest: {
          license: 'MIT',
          registry: {
            category: 'processing',
            documentation: 'https://acme.example/doc',
            processingConfigSchema: SCHEMA,
            applicationConfigSchema: SCHEMA,
          },
        },
      });
      const startedAt = new Date().toISOString();
      const document = await uploadArtefact(server, id, { file });
      const hex = createHash('sha256').update(file).digest('hex');
      const { createdAt, updatedAt, dataUpdatedAt, ...rest } = document;
      const path = `npm/${id}/noarch-${hex.slice(0, 16)}.tgz`;
      assert.deepEqual(rest, {
        _id: id,
        name: id,
        format: 'npm',
        packageName: '@acme/plugin',
        version: '1.0.0',
        licence: 'MIT',
        category: 'processing',
        tarballs: {
          noarch: {
            path,
            size: file.length,
            digest: `sha256:${hex}`,
            version: '1.0.0',
            uploadedAt: dataUpdatedAt,
            uploadedBy: { internal: true },
            hasNativeModules: false,
            hasInstallScripts: false,
            hasNativeCode: false,
          },
        },
        path,
        hasNativeModules: false,
        size: file.length,
        documentation: 'https://acme.example/doc',
        processingConfigSchema: SCHEMA,
        applicationConfigSchema: SCHEMA,
        public: false,
        privateAccess: [],
        deprecated: false,
        uploadedBy: { internal: true },
      });
      for (const date of [createdAt, updatedAt, dataUpdatedAt])
        assert.match(date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.deepEqual([createdAt, updatedAt], [dataUpdatedAt, dataUpdatedAt]);
      assert.ok(createdAt >= startedAt);
      assert.deepEqual(await readDocument(server, id), document);
    });

    test('may have its fields in any order, before and after the file', async () => {
      const fields = {
        architecture: 'x64',
        category: 'catalog',
        title: '{"fr":"Été","en":"Summer"}',
        description: '{"en":"Maps"}',
      };
      const file = await npmTarball();
      for (const position of [0, 2, 4]) {
        const form = new FormData();
        const entries = Object.entries(fields);
        for (const [name, value] of entries.slice(0, position)) form.append(name, value);
        form.append('file', new Blob([file]), 'plugin.tgz');
        for (const [name, value] of entries.slice(position)) form.append(name, value);
        const response = await fetch(`${server.url}/api/v1/artefacts/npm/order-${position}`, {
          method: 'POST',
          headers: server.internal,
          body: form,
        });
        assert.equal(response.status, 201);
        const { artefact } = (await response.json()) as { artefact: Document };
        assert.deepEqual(
          [Object.keys(artefact.tarballs ?? {}), artefact.category, artefact.title, artefact.description],
          [['x64'], 'catalog', { fr: 'Été', en: 'Summer' }, { en: 'Maps' }],
        );
      }
    });

    test('shows its uploader to themselves, superadmins and internal services only', async () => {
      const key = await server.uploadKey();
      const id = 'provenance';
      const { uploadedBy, tarballs } = await uploadArtefact(server, id, {
        file: await npmTarball(),
        headers: { 'x-api-key': key },
      });
      const shortId = key.slice('reg_'.length, 'reg_00000000'.length);
      assert.deepEqual({ ...uploadedBy, apiKeyId: '' }, { apiKeyId: '', apiKeyName: 'CI', shortId });
      assert.deepEqual(tarballs?.['noarch']?.uploadedBy, uploadedBy);
      await server.api('PATCH', `/artefacts/${id}`, { headers: server.internal, body: { public: true } });
      for (const headers of [server.internal, await server.superadmin()])
        assert.deepEqual((await readDocument(server, id, headers)).uploadedBy, uploadedBy);
      for (const headers of [{}, { 'x-api-key': key }])
        assert.ok(!JSON.stringify(await readDocument(server, id, headers)).includes('uploadedBy'));
    });

    test('by a superadmin records their name', async () => {
      const { uploadedBy } = await uploadArtefact(server, 'by-superadmin', {
        file: await npmTarball(),
        headers: await server.superadmin(),
      });
      assert.deepEqual(Object.keys(uploadedBy ?? {}), ['userId', 'userName']);
    });

    test('of identical bytes advances the dates, keeps path and digest, and stores nothing twice', async () => {
      const file = await npmTarball({ name: 'twice' });
      const first = await uploadArtefact(server, 'twice', { file });
      await assertTidy(server);
      const { blobs, files } = await readStoredState(server);
      const second = await uploadArtefact(server, 'twice', { file });
      assert.ok(second.dataUpdatedAt > first.dataUpdatedAt);
      assert.equal(second.updatedAt, second.dataUpdatedAt);
      assert.equal(second.createdAt, first.createdAt);
      assert.equal(second.tarballs?.['noarch']?.uploadedAt, second.dataUpdatedAt);
      for (const field of ['path', 'digest'] as const)
        assert.equal(second.tarballs?.['noarch']?.[field], first.tarballs?.['noarch']?.[field]);
      await assertTidy(server);
      const after = await readStoredState(server);
      assert.deepEqual([after['blobs'], after['files']], [blobs, files]);
    });

    test('of bytes of another artefact shares them', async () => {
      const file = await npmTarball({ name: 'shared' });
      const one = await uploadArtefact(server, 'shared-1', { file });
      const other = await uploadArtefact(server, 'shared-2', { file });
      assert.equal(one.tarballs?.['noarch']?.digest, other.tarballs?.['noarch']?.digest);
      assert.notEqual(one.path, other.path);
      await assertTidy(server);
    });

    test('replaces the slot, updates the fields of the manifest, and keeps curated ones', async () => {
      const id = 'refreshed';
      await uploadArtefact(server, id, {
        file: await npmTarball({
          name: id,
          manifest: { license: 'MIT', registry: { category: 'catalog', processingConfigSchema: SCHEMA } },
        }),
        fields: { title: '{"en":"Old"}' },
      });
      await server.api('PATCH', `/artefacts/${id}`, {
        headers: server.internal,
        body: { public: true, group: { en: 'Maps' }, description: { en: 'Kept' } },
      });
      const document = await uploadArtefact(server, id, {
        file: await npmTarball({ name: id, version: '2.0.0-beta.1+build.5', manifest: { licence: 'ISC' } }),
        fields: { title: '{"fr":"Neuf"}' },
      });
      assert.deepEqual(
        [document.version, document.licence, document.category, document.processingConfigSchema],
        ['2.0.0-beta.1+build.5', 'ISC', 'catalog', undefined],
      );
      assert.deepEqual(
        [document.title, document.description, document.group, document.public],
        [{ fr: 'Neuf' }, { en: 'Kept' }, { en: 'Maps' }, true],
      );
    });

    test('takes its category from the form, else the manifest, else the artefact, else other', async () => {
      const category = async (form?: string, manifest?: string) =>
        (
          await uploadArtefact(server, 'category', {
            file: await npmTarball({
              name: 'category',
              manifest: manifest === undefined ? {} : { registry: { category: manifest } },
            }),
            fields: form === undefined ? {} : { category: form },
          })
        ).category;
      assert.equal(await category(), 'other');
      assert.equal(await category(undefined, 'catalog'), 'catalog');
      assert.equal(await category(), 'catalog');
      assert.equal(await category('application', 'processing'), 'application');
      assert.equal(await category(), 'application');
    });

    test('records native code, install scripts and bundled packages', async () => {
      const file = await npmTarball({
        files: {
          'node_modules/a/package.json': {
            name: 'a',
            version: '1.2.3',
            license: 'ISC',
            scripts: { install: 'node-gyp rebuild' },
          },
          'node_modules/b/package.json': { name: 'b', version: '0.1.0' },
          'node_modules/b/build/b.node': 'native',
          'README.md': '# Hello',
        },
      });
      const { tarballs, hasNativeModules } = await uploadArtefact(server, 'native', { file });
      assert.deepEqual(
        [hasNativeModules, tarballs?.['noarch']?.hasNativeModules, tarballs?.['noarch']?.hasInstallScripts],
        [true, true, true],
      );
      const ofDigest = `where digest = '${tarballs?.['noarch']?.digest}'`;
      const [scan] = await query<{ packages: string; readme: string }>(
        server,
        `select * from tarball_scans ${ofDigest}`,
      );
      assert.deepEqual(JSON.parse(scan!.packages), [
        { name: 'a', version: '1.2.3', licence: 'ISC', path: 'node_modules/a' },
        { name: 'b', version: '0.1.0', path: 'node_modules/b' },
      ]);
      assert.equal(scan?.readme, '# Hello');
      const [part] = await query<{ entries: string }>(server, `select * from file_index_parts ${ofDigest}`);
      assert.equal((JSON.parse(part!.entries) as unknown[]).length, 5);
    });

    test('may have an id of any safe form', async () => {
      for (const id of [
        '@acme/scoped-with-slash@1',
        'a b',
        'été',
        '日'.repeat(256),
        '100%',
        'a?b#c',
        '😀',
        'x'.repeat(256),
      ]) {
        assert.equal((await uploadArtefact(server, id, { file: await npmTarball() }))._id, id);
        assert.equal((await readDocument(server, id))._id, id);
      }
    });

    test('of a file creates an artefact with one slot, named by the field, else the file, else the id', async () => {
      const bytes = Buffer.from('mbtiles');
      const hex = createHash('sha256').update(bytes).digest('hex');
      const document = await uploadArtefact(server, 'maps/france', {
        format: 'file',
        file: bytes,
        fileName: 'ignored.bin',
        fields: { fileName: 'france été.mbtiles', category: 'tileset' },
      });
      const filePath = `files/maps/france/${hex.slice(0, 16)}-france été.mbtiles`;
      assert.deepEqual(
        [
          document.format,
          document.category,
          document.fileName,
          document.filePath,
          document.path,
          document.digest,
          document.size,
          document.hasNativeModules,
          'tarballs' in document,
        ],
        ['file', 'tileset', 'france été.mbtiles', filePath, filePath, `sha256:${hex}`, 7, false, false],
      );
      assert.equal(
        (await uploadArtefact(server, 'maps/italy', { format: 'file', file: bytes, fileName: 'italy.mbtiles' }))
          .fileName,
        'italy.mbtiles',
      );
      assert.equal((await uploadArtefact(server, 'maps/empty', { format: 'file', file: new Uint8Array() })).size, 0);
    });

    test('is in the audit log, with its actor and digest', async () => {
      const { tarballs } = await uploadArtefact(server, 'audited', { file: await npmTarball({ name: 'audited' }) });
      const events = await query<{ actor_kind: string; action: string; outcome: string; details: string }>(
        server,
        `select * from audit_events where target_id = 'audited'`,
      );
      assert.deepEqual(
        events.map(({ actor_kind, action, outcome }) => [actor_kind, action, outcome]),
        [['internal', 'artefact.upload', 'success']],
      );
      assert.equal((JSON.parse(events[0]!.details) as { digest: string }).digest, tarballs?.['noarch']?.digest);
    });

    test('leaves one file per digest and no writers', () => assertTidy(server));
  });
}
