// Every order of the list, against a model: all keys, directions and page sizes, alike on both databases.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import compare from 'semver/functions/compare.js';
import type { Caller } from '../../src/access/index.ts';
import type { Artefact } from '../../src/artefacts/artefact.ts';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { createRead } from '../../src/artefacts/read.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import type { ListQuery } from '../../src/artefacts/schemas.ts';
import { CALLERS } from '../access/callers.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { sampleArtefact } from './samples.ts';

type Sort = NonNullable<ListQuery['sort']>;
type Compare = (one: Artefact, other: Artefact) => number;

const VERSIONS = [undefined, '1.0.0', '1.0.0-rc.1', '1.0.0-rc.10', '1.0.0-rc.2', '9.0.0', '10.0.0', '10.0.0+build'];
const GROUPS = [undefined, { fr: 'Cartes' }, { en: 'Maps' }, { fr: 'cartes', en: 'Écluses' }, { fr: 'Zone', en: 'A' }];
const ARTEFACTS = Array.from({ length: 60 }, (_unused, index) =>
  sampleArtefact({
    id: `${index % 2 === 0 ? 'a' : 'B'}-${String((index * 37) % 60).padStart(2, '0')}`,
    version: VERSIONS[index % VERSIONS.length],
    group: GROUPS[index % GROUPS.length],
    public: index % 3 === 0,
    dataUpdatedAt: new Date(Date.UTC(2026, 0, 1 + (index % 10))).toISOString(),
  }),
);

const byBytes = (one = '', other = '') => Buffer.compare(Buffer.from(one), Buffer.from(other));
const byId: Compare = (one, other) => byBytes(one.id, other.id);
/** Artefacts without a value come first. */
const byVersion: Compare = ({ version: one }, { version: other }) =>
  one !== undefined && other !== undefined
    ? compare(one, other)
    : Number(one !== undefined) - Number(other !== undefined);
const MODEL: Record<string, Compare> = {
  'dataUpdatedAt': (one, other) => byBytes(other.dataUpdatedAt, one.dataUpdatedAt),
  'name': byId,
  'version': byVersion,
  'group.fr': (one, other) => byBytes(one.group?.fr, other.group?.fr),
  'group.en': (one, other) => byBytes(one.group?.en, other.group?.en),
  'public': (one, other) => Number(one.public) - Number(other.public),
};
const SORTS = Object.keys(MODEL).flatMap((key) => [key, `-${key}`]) as Sort[];

function expected(sort: string): string[] {
  const isReversed = sort.startsWith('-');
  const order = MODEL[isReversed ? sort.slice(1) : sort];
  assert.ok(order, sort);
  const ids = ARTEFACTS.toSorted((one, other) => order(one, other) || byId(one, other)).map(({ id }) => id);
  return isReversed ? ids.reverse() : ids;
}

for (const dialect of DIALECTS) {
  describe(`the orders of the list on ${dialect}`, () => {
    let opened: TestDatabase;
    let read: ReturnType<typeof createRead>;
    before(async () => {
      opened = await openTestDatabase(dialect);
      await opened.database.transaction(async (tx) => {
        for (const artefact of ARTEFACTS) await artefactRepository(tx).insert(artefact, renderDocuments(artefact, []));
      });
      read = createRead({ database: opened.database, categories: ['processing'] });
    });
    after(() => opened.close());

    async function ids(caller: Caller, query: ListQuery): Promise<string[]> {
      const body = await read.list(caller, query);
      assert.ok(typeof body === 'string');
      const { results, count } = JSON.parse(body) as { results: { _id: string }[]; count: number };
      assert.equal(count, ARTEFACTS.length);
      return results.map(({ _id }) => _id);
    }

    for (const sort of SORTS)
      test(`${sort}: pages join to the whole, ties have the order of their ids`, async () => {
        assert.deepEqual(await ids(CALLERS.superadmin, { sort, size: 1000 }), expected(sort));
        for (const filter of [{}, { category: 'processing' }]) {
          const joined: string[] = [];
          for (let skip = 0; skip < ARTEFACTS.length; skip += 7)
            joined.push(...(await ids(CALLERS.superadmin, { sort, skip, size: 7, ...filter })));
          assert.deepEqual(joined, expected(sort));
        }
      });

    test('that only superadmins may use are the default order for others', async () => {
      for (const sort of ['public', '-public', 'vulnerabilities'] as const)
        assert.deepEqual(await ids(CALLERS.internal, { sort, size: 1000 }), expected('dataUpdatedAt'), sort);
    });

    test('of vulnerabilities is the default order', async () => {
      assert.deepEqual(
        await ids(CALLERS.superadmin, { sort: 'vulnerabilities', size: 1000 }),
        expected('dataUpdatedAt'),
      );
    });
  });
}
