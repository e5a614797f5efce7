import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { canSee, type Account, type Caller } from '../../src/access/index.ts';
import type { Artefact } from '../../src/artefacts/artefact.ts';
import { listRepository, type ListFilters, type ListSort } from '../../src/artefacts/list-repository.ts';
import { renderDocuments } from '../../src/artefacts/document.ts';
import { artefactRepository } from '../../src/artefacts/repository.ts';
import { createRead } from '../../src/artefacts/read.ts';
import { ACME, ACME_GEO, ACME_SEA, CALLERS, OTHER, readKeyCaller, UMA, userCaller } from '../access/callers.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';
import { sampleArtefact } from './samples.ts';

const SEEDS = [1, 20_260_101, 4_294_967_291];
const ARTEFACTS_PER_SEED = 60;
const CATEGORIES = ['processing', 'catalog', 'other'];
/** Accounts that differ in a single field, or would match if case or type were ignored. */
const ACCOUNTS: Account[] = [
  ACME,
  ACME_GEO,
  ACME_SEA,
  OTHER,
  UMA,
  { type: 'user', id: 'acme' },
  { type: 'organization', id: 'uma' },
  { type: 'organization', id: 'Acme' },
  { type: 'organization', id: 'acme', department: 'Geo' },
  { type: 'organization', id: 'ac%' },
];

const CALLER_LIST: Caller[] = [
  ...Object.values(CALLERS),
  ...ACCOUNTS.flatMap((account): Caller[] => [
    userCaller({ account }),
    readKeyCaller({ account }),
    { kind: 'internal', account },
  ]),
];

for (const dialect of DIALECTS) {
  describe(`the visibility of artefacts in lists on ${dialect}`, () => {
    let opened: TestDatabase;
    const artefacts: Artefact[] = [];

    before(async () => {
      opened = await openTestDatabase(dialect);
      for (const seed of SEEDS) artefacts.push(...randomArtefacts(seed));
      await opened.database.transaction(async (tx) => {
        const repository = artefactRepository(tx);
        for (const artefact of artefacts) {
          await repository.insert(artefact, renderDocuments(artefact, []));
          await repository.putPrivateAccess(artefact.id, artefact.privateAccess);
        }
      });
    });
    after(() => opened.close());

    const list = async (caller: Caller, filters: Partial<ListFilters> = {}, sort: ListSort = 'name') => {
      const listing = await listRepository(opened.database).list(
        caller,
        { patterns: [], includeDeprecated: true, ...filters },
        { sort, skip: 0, size: 1000 },
        'limited',
      );
      return { ids: listing.rows.map(({ id }) => id), count: listing.count };
    };
    const expected = (caller: Caller, matches: (artefact: Artefact) => boolean = () => true) =>
      artefacts
        .filter((artefact) => canSee(caller, artefact) && matches(artefact))
        .map(({ id }) => id)
        .sort();

    test('follows the policy for each caller, as do counts', async () => {
      for (const caller of CALLER_LIST) {
        const ids = expected(caller);
        assert.deepEqual(await list(caller), { ids, count: ids.length }, JSON.stringify(caller));
      }
    });

    test('follows the policy with every filter and search', async () => {
      const filters: [Partial<ListFilters>, (artefact: Artefact) => boolean][] = [
        [{ includeDeprecated: false }, ({ deprecated }) => !deprecated],
        [{ category: 'catalog' }, ({ category }) => category === 'catalog'],
        [{ group: 'Maps' }, ({ group }) => group?.fr === 'Maps' || group?.en === 'Maps'],
        [{ patterns: ['even'] }, ({ title }) => title?.en?.includes('even') ?? false],
        [{ patterns: [' od'] }, ({ title }) => title?.en?.includes('odd') ?? false],
        [
          { patterns: ['even', ' ev'], category: 'other', includeDeprecated: false },
          ({ title, category, deprecated }) =>
            (title?.en?.includes('even') ?? false) && category === 'other' && !deprecated,
        ],
      ];
      for (const caller of CALLER_LIST) {
        for (const [filter, matches] of filters) {
          const ids = expected(caller, matches);
          assert.deepEqual(await list(caller, filter), { ids, count: ids.length }, JSON.stringify([caller, filter]));
        }
      }
    });

    test('agrees with reading single artefacts', async () => {
      const read = createRead({ database: opened.database, categories: CATEGORIES });
      for (const caller of CALLER_LIST.slice(0, 16)) {
        const visible = new Set(expected(caller));
        for (const { id } of artefacts.slice(0, 20)) {
          const outcome = await read.get(caller, id).then(
            () => 'read',
            (error: unknown) => (error as { code: string }).code,
          );
          const refusal = caller.kind === 'internal' ? 'not_shared' : 'artefact_not_found';
          assert.equal(outcome, visible.has(id) ? 'read' : refusal, `${JSON.stringify(caller)} ${id}`);
        }
      }
    });
  });
}

function randomArtefacts(seed: number): Artefact[] {
  const random = seededRandom(seed);
  const chance = (probability: number) => random() < probability;
  return Array.from({ length: ARTEFACTS_PER_SEED }, (_value, index) =>
    sampleArtefact({
      id: `${seed}-${String(index).padStart(3, '0')}`,
      title: { en: index % 2 === 0 ? 'even number' : 'odd number' },
      category: CATEGORIES[Math.floor(random() * CATEGORIES.length)] ?? 'other',
      group: chance(0.3) ? { [chance(0.5) ? 'fr' : 'en']: 'Maps' } : undefined,
      public: chance(0.3),
      deprecated: chance(0.2),
      privateAccess: ACCOUNTS.filter(() => chance(0.12)),
    }),
  );
}
