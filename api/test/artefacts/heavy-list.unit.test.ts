import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { renderList } from '../../src/artefacts/list-body.ts';
import { createRead } from '../../src/artefacts/read.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import { CALLERS } from '../access/callers.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { sampleArtefact } from './samples.ts';

interface Listing {
  results: { _id: string }[];
  count: number;
}

const ARTEFACTS = 60;
/** With two of these, a document has 190 KiB, and a page of all more than twice what is read at once. */
const schema = (letter: string) => ({ description: letter.repeat(63 * 1024) });
const idOf = (index: number) => `a${String(index).padStart(3, '0')}`;
const allIds = Array.from({ length: ARTEFACTS }, (_unused, index) => idOf(index));

for (const dialect of DIALECTS) {
  describe(`a list of large documents on ${dialect}`, () => {
    let opened: TestDatabase;
    let read: ReturnType<typeof createRead>;
    before(async () => {
      opened = await openTestDatabase(dialect);
      read = createRead({ database: opened.database, categories: ['processing'] });
      await insert(allIds);
    });
    after(() => opened.close());

    /** Every tenth has a small document. */
    async function insert(ids: readonly string[]): Promise<void> {
      await opened.database.transaction(async (tx) => {
        for (const id of ids) {
          const schemas = { processingConfigSchema: schema('a'), applicationConfigSchema: schema('é') };
          const artefact = sampleArtefact({ id, ...(!id.endsWith('0') && schemas) });
          await artefactRepository(tx).insert(artefact, renderDocuments(artefact, []));
        }
      });
    }
    const remove = async (...ids: string[]) => {
      await opened.database.db.deleteFrom('artefacts').where('id', 'in', ids).execute();
    };
    const list = (query: Parameters<(typeof read)['list']>[1]) => read.list(CALLERS['internal'], query);
    const listing = async (body: string | Readable) =>
      JSON.parse(typeof body === 'string' ? body : await text(body)) as Listing;
    const idsOf = ({ results }: Listing) => results.map(({ _id }) => _id);

    test('is sent in parts, and is the same as its documents', async () => {
      for (const sort of ['name', '-name'] as const) {
        const body = await list({ sort, size: 1000 });
        assert.equal(typeof body, 'object', 'it is streamed');
        const { results, count } = await listing(body);
        assert.deepEqual(
          [idsOf({ results, count }), count],
          [sort === 'name' ? allIds : allIds.toReversed(), ARTEFACTS],
        );
        for (const document of results.slice(0, 20)) {
          const { json } = await read.get(CALLERS['internal'], document._id);
          assert.deepEqual(document, JSON.parse(Buffer.from(json).toString()));
        }
      }
    });

    test('is one text if the page is small', async () => {
      // On the second page, most documents have more than their share, and are read one by one.
      for (const size of [5, 20]) {
        const body = await list({ sort: 'name', size });
        assert.equal(typeof body, 'string');
        assert.deepEqual(idsOf(await listing(body)), allIds.slice(0, size));
      }
      assert.deepEqual(await listing(await list({ skip: ARTEFACTS })), { results: [], count: ARTEFACTS });
    });

    test('has no short page while more follow, whatever is deleted meanwhile', async () => {
      const size = 40;
      // Of this page or the next; small documents come with the page, and are there even if they are deleted then.
      const middle = [...allIds.keys()].filter((index) => index > 20 && index < 40 && index % 10 > 0);
      for (const deleted of [[39], [21, 22, 38], middle, [42, 51]]) {
        const found: string[] = [];
        for (let skip = 0; ; skip += size) {
          const body = await list({ sort: 'name', size, skip });
          const chunks = (typeof body === 'string' ? Readable.from([body]) : body).iterator();
          assert.equal(typeof body, skip === 0 ? 'object' : 'string');
          const first = await chunks.next();
          if (skip === 0) await remove(...deleted.map(idOf));
          const ids = idsOf(JSON.parse(`${first.value}${await text(chunks)}`) as Listing);
          found.push(...ids);
          if (ids.length < size) break;
        }
        assert.equal(new Set(found).size, found.length, 'nothing comes twice');
        const kept = allIds.filter((_id, index) => !deleted.includes(index));
        assert.deepEqual(
          kept.filter((id) => !found.includes(id)),
          [],
        );
        await insert(deleted.map(idOf));
      }
    });
  });
}

test('reads no more of a list than its client takes', async () => {
  const rows = Array.from({ length: 100 }, (_unused, index) => ({
    id: idOf(index),
    sizeBytes: 1024 * 1024,
    json: undefined,
  }));
  let readDocuments = 0;
  const body = (await renderList(
    { rows, count: 100 },
    {
      documentsOf: async (ids) => {
        readDocuments += ids.length;
        return new Map(ids.map((id) => [id, `{"_id":"${id}"}`]));
      },
      readAgain: () => Promise.reject(new Error('nothing is missing')),
    },
  )) as Readable;
  const chunks = body.iterator();
  for (let taken = 1; taken <= 20; taken++) {
    await chunks.next();
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    assert.ok(readDocuments <= taken + 2, `${readDocuments} read, ${taken} taken`);
  }
  body.destroy();
});
