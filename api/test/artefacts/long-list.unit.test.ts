import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createRead } from '../../src/artefacts/read.ts';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import { CALLERS } from '../access/callers.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { sampleArtefact } from './samples.ts';

/** More than the largest page, and than the matches that are looked up one by one. */
const ARTEFACTS = { sqlite: 5200, postgres: 1200 };
const RARE_EVERY = 500;

interface Listing {
  results: { _id: string }[];
  count: number;
}

for (const dialect of DIALECTS) {
  describe(`a list of thousands on ${dialect}`, () => {
    let opened: TestDatabase;
    const total = ARTEFACTS[dialect];
    const idOf = (index: number) => `a${String(index).padStart(5, '0')}`;
    before(async () => {
      opened = await openTestDatabase(dialect);
      await opened.database.transaction(async (tx) => {
        for (let index = 0; index < total; index++) {
          const title = { en: index % RARE_EVERY === 0 ? 'common rare' : 'common' };
          const artefact = sampleArtefact({ id: idOf(index), title, public: index % 2 === 0 });
          await artefactRepository(tx).insert(artefact, renderDocuments(artefact, []));
        }
      });
    });
    after(() => opened.close());

    const list = async (
      query: Parameters<ReturnType<typeof createRead>['list']>[1],
      caller: 'internal' | 'anonymous' = 'internal',
    ) => {
      const read = createRead({ database: opened.database, categories: ['processing'] });
      const body = await read.list(CALLERS[caller], query);
      assert.equal(typeof body, 'string', 'ordinary pages are not streamed');
      const { results, count } = JSON.parse(body as string) as Listing;
      return { ids: results.map(({ _id }) => _id), count };
    };

    test('has up to a thousand artefacts per page', async () => {
      const { ids, count } = await list({ size: 1000, sort: 'name' });
      assert.deepEqual([ids.length, ids[0], ids.at(-1), count], [1000, idOf(0), idOf(999), total]);
    });

    test('has ten artefacts per page by default', async () => {
      assert.equal((await list({})).ids.length, 10);
    });

    test('is searched and counted alike, with few and with many matches', async () => {
      const many = await list({ q: 'common', sort: 'name', size: 3, skip: 1100 });
      assert.deepEqual(many, { ids: [idOf(1100), idOf(1101), idOf(1102)], count: total });
      const few = await list({ q: 'rare common', sort: 'name', size: 2 });
      assert.deepEqual(few, { ids: [idOf(0), idOf(RARE_EVERY)], count: Math.ceil(total / RARE_EVERY) });
      assert.deepEqual(await list({ q: 'common', sort: '-name', size: 1 }, 'anonymous'), {
        ids: [idOf(total - 2)],
        count: total / 2,
      });
    });
  });
}
