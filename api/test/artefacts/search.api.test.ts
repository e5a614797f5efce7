import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { listArtefacts, patchArtefact, uploadArtefact } from './documents.ts';

const TEXTS: Record<string, { title?: object; description?: object; packageName?: string }> = {
  'import-gpkg': {
    title: { fr: 'Importer des données géographiques', en: 'Import geographic data' },
    packageName: '@acme/gpkg-reader',
  },
  'summer': {
    title: { fr: 'L’ÉTÉ à la mer', en: 'Summer' },
    description: { fr: 'Où le cœur bat', en: 'A straße in August' },
  },
  'percent': { title: { en: '100% pure' } },
  'thousand': { title: { en: '1000 pure' } },
  'under_score': { title: { en: 'snake_case' } },
  'underXscore': { title: { en: 'snakeXcase' } },
  'quotes': { title: { en: 'say "hello" to O\'Neil' } },
  'star': { title: { en: 'a*b**c' } },
  'backslash': { title: { en: 'C:\\temp\\new' } },
  'operators': { title: { en: 'this AND that OR NOT NEAR(other) {col} ^caret' } },
  'short': { description: { en: 'Go to 7 UP' } },
  'unicode': { title: { fr: '日本語のタイトル', en: 'Ελληνικά 🚢 ship' } },
};

/** [query, expected ids] */
const SEARCHES: [q: string, expected: string[]][] = [
  ['gpkg', ['import-gpkg']],
  ['GPKG', ['import-gpkg']],
  ['gpk', ['import-gpkg']],
  ['reader', ['import-gpkg']],
  ['@acme/gpkg', ['import-gpkg']],
  ['import-gpkg', ['import-gpkg']],
  ['geographiques', ['import-gpkg']],
  ['géographiques', ['import-gpkg']],
  ['GÉOGRAPHIQUES', ['import-gpkg']],
  ['geographic data', ['import-gpkg']],
  ['data import', ['import-gpkg']],
  ['  data   IMPORT ', ['import-gpkg']],
  ['data summer', []],
  ['donnees', ['import-gpkg']],
  ['données', ['import-gpkg']],
  ['donne\u0301es', ['import-gpkg']],
  ['ete', ['summer']],
  ['été', ['summer']],
  ['Été', ['summer']],
  ['coeur', ['summer']],
  ['cœur', ['summer']],
  ['strasse', ['summer']],
  ['STRASSE', ['summer']],
  ['100%', ['percent']],
  ['pure', ['percent', 'thousand']],
  ['100', ['percent', 'thousand']],
  ['%', ['percent']],
  ['%%', []],
  ['100% pure', ['percent']],
  ['1_0', []],
  ['snake_case', ['under_score']],
  ['under_score', ['under_score']],
  ['e_c', ['under_score']],
  ['"hello"', ['quotes']],
  ['say "hello"', ['quotes']],
  ['"', ['quotes']],
  ["o'neil", ['quotes']],
  ["'", ['quotes']],
  ['"say hello"', []],
  ['a*b', ['star']],
  ['b**c', ['star']],
  ['*', ['star']],
  ['gpk*', []],
  ['c:\\temp', ['backslash']],
  ['\\new', ['backslash']],
  ['\\', ['backslash']],
  ['\\\\', []],
  ['OR', ['operators']],
  ['and that', ['operators']],
  ['this and that', ['operators']],
  ['NOT near', ['operators']],
  ['near(other)', ['operators']],
  ['{col}', ['operators']],
  ['^caret', ['operators']],
  ['col:', []],
  ['-gpkg', ['import-gpkg']],
  ['go', ['short']],
  ['up', ['short']],
  ['7', ['short']],
  ['go up', ['short']],
  ['up GO', ['short']],
  ['日本語', ['unicode']],
  ['タイトル', ['unicode']],
  ['ελληνικα', ['unicode']],
  ['🚢', ['unicode']],
  ['🚢 ship', ['unicode']],
  ['nothing-like-this', []],
  ['; drop table artefacts; --', []],
  ['a'.repeat(500), []],
  ['x '.repeat(250), []],
];

for (const dialect of DIALECTS) {
  describe(`search on ${dialect}`, () => {
    let server: TestServer;
    const search = async (q: string) =>
      (await listArtefacts(server, `?sort=name&size=100&q=${encodeURIComponent(q)}`)).results.map(({ _id }) => _id);

    before(async () => {
      server = await startTestServer({ dialect });
      for (const [id, { packageName = 'p', title, description }] of Object.entries(TEXTS)) {
        await uploadArtefact(server, id, {
          file: await npmTarball({ name: packageName }),
          fields: {
            ...(title && { title: JSON.stringify(title) }),
            ...(description && { description: JSON.stringify(description) }),
          },
        });
      }
    });
    after(() => server.close());

    for (const [q, expected] of SEARCHES) {
      test(`for ${JSON.stringify(q.slice(0, 40))} finds ${expected.join(' and ') || 'nothing'}`, async () => {
        assert.deepEqual(await search(q), expected);
      });
    }

    test('counts all matches', async () => {
      const { results, count } = await listArtefacts(server, '?q=pure&size=1');
      assert.deepEqual([results.length, count], [1, 2]);
    });

    test('finds new words at once, and old ones no longer', async () => {
      await uploadArtefact(server, 'changing', {
        file: await npmTarball(),
        fields: { title: '{"en":"caterpillar"}' },
      });
      assert.deepEqual(await search('caterpillar'), ['changing']);
      await patchArtefact(server, 'changing', { title: { en: 'butterfly' } });
      assert.deepEqual([await search('caterpillar'), await search('butterfly')], [[], ['changing']]);
      await patchArtefact(server, 'changing', { group: { en: 'insects' } });
      assert.deepEqual([await search('insects'), await search('butterfly')], [[], ['changing']]);
      await server.api('DELETE', '/artefacts/changing', { headers: server.internal });
      assert.deepEqual([await search('butterfly'), await search('changing')], [[], []]);
    });

    test('finds nothing that the caller may not see', async () => {
      assert.deepEqual(await listArtefacts(server, '?q=gpkg', {}), { results: [], count: 0 });
      await patchArtefact(server, 'import-gpkg', { public: true });
      assert.deepEqual(
        (await listArtefacts(server, '?q=gpkg', {})).results.map(({ _id }) => _id),
        ['import-gpkg'],
      );
    });
  });
}
