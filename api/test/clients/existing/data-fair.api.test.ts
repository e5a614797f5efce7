// Replays the requests of data-fair: its list of applications, its migration, and its page that frames the registry's.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as ours from '@berth-registry/lib-node';
import { npmTarball } from '../../support/tarball-builder.ts';
import * as theirs from './library.ts';
import { ACME, iconForm, PLATFORMS, routeOf, SECRET, startPlatform, statusOf, uploadForm } from './platform.ts';
import type { Platform } from './platform.ts';

interface Document {
  _id: string;
  path?: string;
  version?: string;
  public: unknown;
  deprecated: unknown;
  privateAccess: { type: string; id: string; name?: string }[];
  title?: object | null;
  description?: object | null;
  group?: object | null;
  documentation?: string | null;
  thumbnail?: object | null;
}
interface List {
  results: Document[];
  count: number;
}

/** A page and a bit. */
const APPLICATIONS = 103;
const PAGE = 100;

for (const combination of PLATFORMS) {
  describe(`data-fair on ${combination.dialect}, below ${combination.basePath || 'the root'}`, () => {
    let platform: Platform;
    before(async () => {
      platform = await startPlatform(combination);
    });
    after(() => platform.close());

    async function migrate(index: number): Promise<void> {
      const service = platform.service();
      const id = `@test/app-${index}@0.${index}`;
      assert.equal(await statusOf(service.get(routeOf(id))), 404);
      const tarball = await npmTarball({
        name: `@test/app-${index}`,
        version: `0.${index}.1`,
        files: { 'index.html': `<h1>${index}</h1>`, 'config-schema.json': { type: 'object' } },
      });
      const path = `/artefacts/npm/${encodeURIComponent(id)}`;
      assert.equal((await service.post(path, uploadForm('application', tarball))).status, 201);
    }

    test('the migration uploads one application for each minor version, and sets only what is absent', async () => {
      for (let index = 0; index < APPLICATIONS; index += 1) await migrate(index);
      const service = platform.service();
      const path = routeOf('@test/app-0@0.0');
      const { data: before } = await service.get<Document>(path);
      assert.equal(typeof before.path, 'string');
      for (const field of ['title', 'description', 'group', 'documentation', 'thumbnail'] as const)
        assert.equal(before[field] ?? null, null, field);
      const { data } = await service.patch<Document>(path, {
        public: true,
        deprecated: true,
        privateAccess: [ACME],
        title: { fr: 'Carte', en: 'Map' },
        description: { fr: 'Une carte' },
        group: { fr: 'Cartes' },
        documentation: 'https://example.org/map',
      });
      assert.deepEqual(data.privateAccess, [ACME]);
      assert.equal((await service.post(`${path}/thumbnail`, iconForm())).status, 201);
    });

    test('the list has all applications, page by page, with booleans and names in access lists', async () => {
      for (const url of platform.insideUrls) {
        const found: Document[] = [];
        for (let skip = 0; ; skip += PAGE) {
          const { data } = await platform
            .service({ url })
            .get<List>(`/artefacts?format=npm&category=application&size=${PAGE}&skip=${skip}&includeDeprecated=true`);
          assert.equal(data.count, APPLICATIONS);
          found.push(...data.results);
          if (data.results.length < PAGE) break;
        }
        assert.equal(new Set(found.map(({ _id }) => _id)).size, APPLICATIONS);
        for (const document of found) {
          assert.deepEqual([typeof document.public, typeof document.deprecated], ['boolean', 'boolean']);
          assert.ok(Array.isArray(document.privateAccess));
          assert.match(document.version ?? '', /^0\.\d+\.1$/);
        }
        const [first, second] = ['@test/app-0@0.0', '@test/app-1@0.1'].map((id) =>
          found.find(({ _id }) => _id === id),
        );
        assert.ok(first && second);
        assert.deepEqual(
          [first.public, first.deprecated, first.privateAccess, first.title, first.description, first.group],
          [true, true, [ACME], { fr: 'Carte', en: 'Map' }, { fr: 'Une carte' }, { fr: 'Cartes' }],
        );
        assert.equal(first.documentation, 'https://example.org/map');
        assert.deepEqual([second.public, second.deprecated, second.privateAccess], [false, false, []]);
        for (const field of ['title', 'description', 'group', 'documentation', 'thumbnail'] as const)
          assert.equal(second[field] ?? null, null, field);
        const { data } = await platform.service({ url }).get<Document>(routeOf('@test/app-0@0.0'));
        assert.deepEqual([data.title, data.version, data.privateAccess], [first.title, '0.0.1', [ACME]]);
      }
    });

    test('an application is at the root of its directory, without an account', async () => {
      for (const { ensureArtefact } of [theirs, ours]) {
        const cacheDir = await mkdtemp(join(tmpdir(), 'berth-applications-'));
        const artefactId = '@test/app-7@0.7';
        const { path } = await ensureArtefact({
          registryUrl: platform.outsideUrl,
          secretKey: SECRET,
          artefactId,
          cacheDir,
        });
        assert.equal(await readFile(join(path, 'index.html'), 'utf8'), '<h1>7</h1>');
        assert.deepEqual(JSON.parse(await readFile(join(path, 'config-schema.json'), 'utf8')), { type: 'object' });
        await rm(cacheDir, { recursive: true });
      }
    });

    test('the page that frames the registry reads its version as a superadmin', async () => {
      const { data } = await platform.page(await platform.superadmin()).get<{ version: string }>('/api/admin/info');
      assert.match(data.version, /^\d+\.\d+\.\d+/);
      const refused = platform.page(await platform.member('acme', 'admin')).get('/api/admin/info');
      assert.equal(await statusOf(refused), 403);
    });
  });
}
