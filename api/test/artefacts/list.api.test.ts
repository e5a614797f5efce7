import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readProblem } from '../support/problems.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { listArtefacts, patchArtefact, uploadArtefact } from './documents.ts';
import { makeMirror, ORIGIN } from './mirrors.ts';

/** In upload order. */
const ARTEFACTS: {
  id: string;
  format?: 'file';
  packageName?: string;
  category: string;
  patch?: Record<string, unknown>;
}[] = [
  {
    id: '@acme/import-gpkg@1',
    packageName: '@acme/import-gpkg',
    category: 'processing',
    patch: { public: true, group: { fr: 'Cartes', en: 'Maps' } },
  },
  {
    id: '@acme/import-gpkg@2',
    packageName: '@acme/import-gpkg',
    category: 'processing',
    patch: { group: { fr: 'Cartes', en: 'Charts' } },
  },
  { id: 'b-catalog', packageName: 'b', category: 'catalog', patch: { public: true, group: { en: 'Cartes' } } },
  { id: 'B-catalog', packageName: 'B', category: 'catalog' },
  { id: 'old', packageName: 'old', category: 'other', patch: { public: true, deprecated: true } },
  { id: 'maps/france', format: 'file', category: 'tileset', patch: { public: true } },
  { id: 'maps/italy', format: 'file', category: 'tileset' },
  { id: 'mirror', packageName: 'mirror', category: 'other' },
];
const CURRENT = ARTEFACTS.map(({ id }) => id).filter((id) => id !== 'old');
const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

for (const dialect of DIALECTS) {
  describe(`the list on ${dialect}`, () => {
    let server: TestServer;

    before(async () => {
      server = await startTestServer({ dialect });
      for (const { id, format = 'npm', packageName = '', category, patch } of ARTEFACTS) {
        await uploadArtefact(server, id, {
          format,
          file: format === 'file' ? Buffer.from(id) : await npmTarball({ name: packageName }),
          fields: { category },
        });
        if (patch) await patchArtefact(server, id, patch);
      }
      await makeMirror(server, 'mirror');
    });
    after(() => server.close());

    const ids = async (search: string, headers?: Record<string, string>) =>
      (await listArtefacts(server, search, headers)).results.map(({ _id }) => _id);

    test('has the newest data first, without deprecated artefacts', async () => {
      const { results, count } = await listArtefacts(server);
      assert.deepEqual(
        results.map(({ _id }) => _id),
        CURRENT.toReversed(),
      );
      assert.equal(count, CURRENT.length);
      const dates = results.map(({ dataUpdatedAt }) => dataUpdatedAt);
      assert.deepEqual(dates, dates.toSorted().toReversed());
    });

    for (const [search, expected] of Object.entries({
      '?category=catalog': ['B-catalog', 'b-catalog'],
      '?category=application': [],
      '?format=file': ['maps/italy', 'maps/france'],
      '?format=npm&category=processing': ['@acme/import-gpkg@2', '@acme/import-gpkg@1'],
      '?packageName=%40acme%2Fimport-gpkg': ['@acme/import-gpkg@2', '@acme/import-gpkg@1'],
      '?packageName=b': ['b-catalog'],
      '?group=Cartes': ['b-catalog', '@acme/import-gpkg@2', '@acme/import-gpkg@1'],
      '?group=Maps': ['@acme/import-gpkg@1'],
      '?group=cartes': [],
      '?group=Cartes&category=processing': ['@acme/import-gpkg@2', '@acme/import-gpkg@1'],
      [`?origin=${encodeURIComponent(ORIGIN)}`]: ['mirror'],
      '?origin=https%3A%2F%2Fother.example': [],
      '?category=other': ['mirror'],
      '?category=other&includeDeprecated=true': ['mirror', 'old'],
      '?category=other&includeDeprecated=false': ['mirror'],
      '?q=gpkg&category=catalog': [],
      '?q=maps&format=file&size=1': ['maps/italy'],
      '?skip=2&size=2': ['maps/france', 'B-catalog'],
      '?skip=100': [],
      '?size=0': [],
      '?sort=dataUpdatedAt&size=1': ['mirror'],
      '?q=': CURRENT.toReversed(),
      '?unknown=x': CURRENT.toReversed(),
    })) {
      test(`${search} finds ${expected.length}`, async () => {
        assert.deepEqual(await ids(search), expected);
      });
    }

    test('is sorted by name in byte order, ascending and descending', async () => {
      const sorted = CURRENT.toSorted(byBytes);
      assert.deepEqual(await ids('?sort=name'), sorted);
      assert.deepEqual(await ids('?sort=-name'), sorted.toReversed());
    });

    test('counts all matches, on any page', async () => {
      for (const search of ['?size=0', '?size=1', '?size=3&skip=5', '?skip=100', '?size=1000'])
        assert.equal((await listArtefacts(server, search)).count, CURRENT.length, search);
      assert.equal((await listArtefacts(server, '?category=processing&size=1')).count, 2);
      assert.equal((await listArtefacts(server, '?includeDeprecated=true')).count, ARTEFACTS.length);
    });

    test('has each artefact on exactly one page, in every order', async () => {
      for (const sort of ['dataUpdatedAt', 'name', '-name']) {
        const pages = await Promise.all([0, 3, 6].map((skip) => ids(`?sort=${sort}&size=3&skip=${skip}`)));
        assert.deepEqual(pages.flat().sort(), CURRENT.toSorted(), sort);
      }
    });

    test('clamps the page size instead of rejecting it', async () => {
      assert.equal((await ids('?size=1000000')).length, CURRENT.length);
    });

    test('moves an artefact to the top when it is uploaded, but not when it is edited', async () => {
      await patchArtefact(server, '@acme/import-gpkg@1', { description: { en: 'edited' } });
      assert.equal((await ids('')).at(-1), '@acme/import-gpkg@1');
      await uploadArtefact(server, 'maps/italy', { format: 'file', file: Buffer.from('maps/italy') });
      assert.equal((await ids(''))[0], 'maps/italy');
      await uploadArtefact(server, 'maps/france', { format: 'file', file: Buffer.from('maps/france') });
      assert.deepEqual((await ids('')).slice(0, 2), ['maps/france', 'maps/italy']);
    });

    test('shows anonymous callers public artefacts, without their uploaders', async () => {
      const { results, count } = await listArtefacts(server, '?includeDeprecated=true', {});
      assert.deepEqual(results.map(({ _id }) => _id).sort(), [
        '@acme/import-gpkg@1',
        'b-catalog',
        'maps/france',
        'old',
      ]);
      assert.equal(count, 4);
      assert.ok(!JSON.stringify(results).includes('uploadedBy'));
      assert.ok(JSON.stringify(await listArtefacts(server)).includes('uploadedBy'));
    });

    test('may be cached by the caller only', async () => {
      const response = await server.api('GET', '/artefacts');
      assert.equal(response.headers.get('cache-control'), 'private, no-cache');
      assert.match(response.headers.get('vary') ?? '', /Cookie.*X-Api-Key/);
    });

    for (const [search, code] of [
      ['category=plugin', 'category_invalid'],
      ['category=Processing', 'category_invalid'],
      ['format=branch', 'request_invalid'],
      ['sort=updatedAt', 'request_invalid'],
      ['includeDeprecated=maybe', 'request_invalid'],
      ['q=a&q=b', 'request_invalid'],
      ['category=other&category=catalog', 'request_invalid'],
      [`q=${'x'.repeat(501)}`, 'request_invalid'],
    ] as const) {
      test(`${search.slice(0, 40)} is rejected`, async () => {
        await readProblem(await server.api('GET', `/artefacts?${search}`), 400, code);
      });
    }
  });

  describe(`group names on ${dialect}`, () => {
    let server: TestServer;
    let superadmin: Record<string, string>;
    before(async () => {
      server = await startTestServer({ dialect });
      superadmin = await server.superadmin();
      const groups = [{ fr: 'Été', en: 'Summer' }, { fr: 'Cartes', en: 'Maps' }, { fr: 'Cartes' }, undefined];
      for (const [index, group] of groups.entries()) {
        await uploadArtefact(server, `g${index}`, { file: await npmTarball(), fields: { category: 'processing' } });
        if (group) await patchArtefact(server, `g${index}`, { group });
      }
    });
    after(() => server.close());

    const groups = async (search: string) =>
      (
        (await (await server.api('GET', `/artefacts/groups?${search}`, { headers: superadmin })).json()) as {
          results: string[];
        }
      ).results;

    test('are listed once each, sorted, in one language', async () => {
      assert.deepEqual(await groups('category=processing&locale=fr'), ['Cartes', 'Été']);
      assert.deepEqual(await groups('category=processing&locale=en'), ['Maps', 'Summer']);
      assert.deepEqual(await groups('category=catalog&locale=fr'), []);
    });

    test('need a category and a language, and accept no other parameter', async () => {
      for (const search of [
        '',
        'category=processing',
        'locale=fr',
        'category=processing&locale=de',
        'category=processing&locale=fr&size=1',
      ]) {
        await readProblem(
          await server.api('GET', `/artefacts/groups?${search}`, { headers: superadmin }),
          400,
          'request_invalid',
        );
      }
      await readProblem(
        await server.api('GET', '/artefacts/groups?category=plugin&locale=fr', { headers: superadmin }),
        400,
        'category_invalid',
      );
    });

    test('are visible to superadmins only', async () => {
      await readProblem(
        await server.api('GET', '/artefacts/groups?category=processing&locale=fr'),
        401,
        'unauthenticated',
      );
      await readProblem(
        await server.api('GET', '/artefacts/groups?category=processing&locale=fr', { headers: server.internal }),
        403,
        'forbidden',
      );
    });
  });
}
