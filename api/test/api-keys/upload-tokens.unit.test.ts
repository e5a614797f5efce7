import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiKeyRepository } from '../../src/api-keys/repository.ts';
import { describeOnBothDatabases, noonPlus } from './api-keys-fixture.ts';

const HOUR_S = 3600;
const HOUR_MS = HOUR_S * 1000;

describeOnBothDatabases('upload tokens', (fixture) => {
  const create = (publisherId: string) =>
    fixture.database.transaction((tx) =>
      fixture.open().tokens.create(tx, {
        publisherId,
        name: 'gpkg',
        scopes: { allowedNamePrefix: '@acme/' },
        lifetimeSeconds: HOUR_S,
      }),
    );

  test('work as upload keys with their scopes until they expire', async () => {
    const keys = fixture.open();
    const token = await create('one');
    assert.equal(token.expiresAt, noonPlus(HOUR_MS).toISOString());
    assert.partialDeepStrictEqual(await keys.authenticate(token.key), {
      kind: 'upload-key',
      key: { id: token.id, name: 'gpkg', shortId: token.shortId },
      scopes: { allowedNamePrefix: '@acme/' },
    });
    assert.deepEqual(await keys.reload(token.key, fixture.database.db), await keys.authenticate(token.key));
    fixture.now = noonPlus(HOUR_MS);
    assert.equal(await keys.authenticate(token.key), undefined);
    assert.equal(await keys.reload(token.key, fixture.database.db), undefined);
  });

  test('are not listed, found by ID, or announced before they expire', async () => {
    const { id } = await create('one');
    const rows = apiKeyRepository(fixture.database.db);
    assert.deepEqual(await rows.list({}, { skip: 0, size: 10 }), { results: [], count: 0 });
    assert.equal(await rows.find(id), undefined);
    const soon = { after: noonPlus(0).toISOString(), before: noonPlus(2 * HOUR_MS).toISOString(), limit: 10 };
    for (const missing of ['expiry_announced_at', 'expiry_recorded_at'] as const)
      assert.deepEqual(await rows.listExpiring(missing, soon), []);
  });

  test('are revoked with their publisher, without affecting others', async () => {
    const keys = fixture.open();
    const [revoked, other] = [await create('one'), await create('two')];
    await fixture.database.transaction((tx) => keys.tokens.deleteOf(tx, 'one'));
    assert.equal(await keys.authenticate(revoked.key), undefined);
    assert.ok(await keys.authenticate(other.key));
  });

  test('are deleted once they have expired, unlike other keys', async () => {
    const keys = fixture.open();
    const rows = apiKeyRepository(fixture.database.db);
    await rows.insert(
      {
        _id: 'not-a-token',
        type: 'upload',
        name: 'CI',
        shortId: '12345678',
        createdAt: noonPlus(0).toISOString(),
        expiresAt: noonPlus(1).toISOString(),
      },
      'a hash',
    );
    const expired = await create('one');
    fixture.now = noonPlus(HOUR_MS / 2);
    const valid = await create('one');
    fixture.now = noonPlus(HOUR_MS);
    await keys.tokens.deleteExpired(fixture.database.db);
    fixture.now = noonPlus(0);
    assert.equal(await keys.authenticate(expired.key), undefined);
    assert.ok(await keys.authenticate(valid.key));
    assert.ok(await rows.find('not-a-token'));
  });
});
