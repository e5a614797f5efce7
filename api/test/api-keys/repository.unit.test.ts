import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiKeyRepository, type ApiKeyFilter } from '../../src/api-keys/repository.ts';
import type { ApiKey } from '../../src/api-keys/schemas.ts';
import { ACME, ACME_GEO, ACME_SEA, OTHER } from '../access/callers.ts';
import { describeOnBothDatabases, noonPlus, sampleKey } from './api-keys-fixture.ts';

const ALL = { skip: 0, size: 1000 };

describeOnBothDatabases('the key repository', (fixture) => {
  const keys = () => apiKeyRepository(fixture.database.db);
  const insertAll = async (...samples: ApiKey[]) => {
    for (const sample of samples) await keys().insert(sample, `hash of ${sample._id}`);
  };
  const idsOf = async (filter: ApiKeyFilter, page = ALL) =>
    (await keys().list(filter, page)).results.map(({ _id }) => _id);

  const full: ApiKey = sampleKey({
    _id: 'full',
    name: 'été 🚢 "quoted"',
    allowedName: 'a@1',
    allowedNamePrefix: 'a',
    allowedPackageName: '@a/b',
    allowedCategory: 'other',
    owner: ACME_GEO,
    createdBy: { userId: 'uma', userName: 'Uma' },
    expiresAt: noonPlus(1).toISOString(),
    lastUsedAt: noonPlus(2).toISOString(),
  });

  test('reads back a key unchanged, by ID and by hash', async () => {
    await insertAll(full);
    assert.deepEqual(await keys().find('full'), full);
    assert.deepEqual(await keys().findByHash('hash of full', new Date().toISOString()), full);
    assert.deepEqual(await keys().list({}, ALL), { results: [full], count: 1 });
  });

  test('unset fields are absent, not null', async () => {
    const bare = sampleKey({ _id: 'bare', type: 'read', owner: { type: 'user', id: 'uma' } });
    await insertAll(bare);
    assert.deepEqual(await keys().find('bare'), bare);
  });

  test('returns undefined for an unknown key', async () => {
    await insertAll(full);
    assert.equal(await keys().find('other'), undefined);
    assert.equal(await keys().findByHash('full', new Date().toISOString()), undefined);
  });

  test('two keys cannot have the same hash', async () => {
    await keys().insert(sampleKey({ _id: 'one' }), 'same');
    await assert.rejects(keys().insert(sampleKey({ _id: 'two' }), 'same'), /unique/i);
  });

  test('lists newest first, by ID within the same millisecond', async () => {
    const at = (_id: string, milliseconds: number) =>
      sampleKey({ _id, createdAt: noonPlus(milliseconds).toISOString() });
    await insertAll(at('middle-b', 5), at('oldest', 0), at('newest', 9), at('middle-a', 5));
    assert.deepEqual(await idsOf({}), ['newest', 'middle-a', 'middle-b', 'oldest']);
    assert.deepEqual(await idsOf({}, { skip: 1, size: 2 }), ['middle-a', 'middle-b']);
    assert.deepEqual(await keys().list({}, { skip: 4, size: 2 }), { results: [], count: 4 });
    assert.deepEqual(await keys().list({}, { skip: 0, size: 0 }), { results: [], count: 4 });
  });

  const owned = [
    sampleKey({ _id: 'upload' }),
    ...Object.entries({
      whole: ACME,
      geo: ACME_GEO,
      sea: ACME_SEA,
      other: OTHER,
      user: { type: 'user' as const, id: 'acme' },
    }).map(([_id, owner]) => sampleKey({ _id, type: 'read', owner })),
  ];
  const filters: [name: string, filter: ApiKeyFilter, expected: string[]][] = [
    ['all keys without a filter', {}, ['geo', 'other', 'sea', 'upload', 'user', 'whole']],
    ['upload keys', { type: 'upload' }, ['upload']],
    ['read keys', { type: 'read' }, ['geo', 'other', 'sea', 'user', 'whole']],
    ['an organisation with its departments', { owner: ACME }, ['geo', 'sea', 'whole']],
    ['one department alone', { owner: ACME_GEO }, ['geo']],
    ['a user whose ID is also that of an organisation', { owner: { type: 'user', id: 'acme' } }, ['user']],
    ['no upload keys of an account', { owner: ACME, type: 'upload' }, []],
    ['an account without keys', { owner: { type: 'user', id: 'nobody' } }, []],
  ];
  for (const [name, filter, expected] of filters) {
    test(`lists and counts ${name}`, async () => {
      await insertAll(...owned);
      const { results, count } = await keys().list(filter, ALL);
      assert.deepEqual(
        results.map(({ _id }) => _id),
        expected,
      );
      assert.equal(count, expected.length);
    });
  }

  const deletions: [name: string, owner: NonNullable<ApiKeyFilter['owner']>, remaining: string[]][] = [
    ['an organisation with its departments', ACME, ['other', 'upload', 'user']],
    ['one department alone', ACME_GEO, ['other', 'sea', 'upload', 'user', 'whole']],
    [
      'a user whose ID is also that of an organisation',
      { type: 'user', id: 'acme' },
      ['geo', 'other', 'sea', 'upload', 'whole'],
    ],
  ];
  for (const [name, owner, remaining] of deletions) {
    test(`deletes the keys of ${name}`, async () => {
      await insertAll(...owned);
      assert.equal((await keys().deleteOf(owner)).length, owned.length - remaining.length);
      assert.deepEqual(await idsOf({}), remaining);
    });
  }

  test('only the first deletion of a key returns true', async () => {
    await insertAll(full, sampleKey({ _id: 'other' }));
    assert.equal(await keys().delete('full'), true);
    assert.equal(await keys().delete('full'), false);
    assert.deepEqual(await idsOf({}), ['other']);
  });

  test('touch sets the last use of one key, unless it is later than the given time', async () => {
    const [minuteAgo, noon, later] = [noonPlus(-60_000), noonPlus(0), noonPlus(1)].map((date) =>
      date.toISOString(),
    ) as [string, string, string];
    await insertAll(
      sampleKey({ _id: 'never' }),
      sampleKey({ _id: 'long-ago', lastUsedAt: minuteAgo }),
      sampleKey({ _id: 'now', lastUsedAt: noon }),
    );
    const lastUses = async () =>
      Object.fromEntries((await keys().list({}, ALL)).results.map(({ _id, lastUsedAt }) => [_id, lastUsedAt]));
    await keys().touch('never', later, minuteAgo);
    assert.deepEqual(await lastUses(), { 'never': later, 'long-ago': minuteAgo, 'now': noon });
    await keys().touch('long-ago', later, minuteAgo);
    await keys().touch('now', later, minuteAgo);
    assert.deepEqual(await lastUses(), { 'never': later, 'long-ago': later, 'now': noon });
  });
});
