import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiKeyRepository } from '../../src/api-keys/repository.ts';
import { describeOnBothDatabases, noonPlus } from './api-keys-fixture.ts';

const HOUR_S = 3600;
const HOUR_MS = HOUR_S * 1000;

describeOnBothDatabases('upload tokens', (fixture) => {
  const make = (publisherId: string) =>
    fixture.database.transaction((tx) =>
      fixture.open().tokens.make(tx, {
        publisherId,
        name: 'gpkg',
        scopes: { allowedNamePrefix: '@acme/' },
        lifetimeSeconds: HOUR_S,
      }),
    );

  test('are upload keys with the scopes that they were made with, until their end', async () => {
    const keys = fixture.open();
    const token = await make('one');
    assert.equal(token.expiresAt, noonPlus(HOUR_MS).toISOString());
    assert.partialDeepStrictEqual(await keys.authenticate(token.key), {
      kind: 'upload-key',
      key: { id: token.id, name: 'gpkg', shortId: token.shortId },
      scopes: { allowedNamePrefix: '@acme/' },
    });
    assert.deepEqual(await keys.isStillValid(fixture.database.db, token.id), { allowedNamePrefix: '@acme/' });
    fixture.now = noonPlus(HOUR_MS);
    assert.equal(await keys.authenticate(token.key), undefined);
    assert.equal(await keys.isStillValid(fixture.database.db, token.id), undefined);
  });

  test('are in no list, found by no id, and not announced before they end', async () => {
    const { id } = await make('one');
    const rows = apiKeyRepository(fixture.database.db);
    assert.deepEqual(await rows.list({}, { skip: 0, size: 10 }), { results: [], count: 0 });
    assert.equal(await rows.find(id), undefined);
    assert.deepEqual(await rows.listExpiring(noonPlus(0).toISOString(), noonPlus(2 * HOUR_MS).toISOString(), 10), []);
  });

  test('end with their publisher, and no others do', async () => {
    const keys = fixture.open();
    const [gone, other] = [await make('one'), await make('two')];
    await fixture.database.transaction((tx) => keys.tokens.deleteOf(tx, 'one'));
    assert.equal(await keys.authenticate(gone.key), undefined);
    assert.ok(await keys.authenticate(other.key));
  });

  test('are removed once they have ended, which keys of people never are', async () => {
    const keys = fixture.open();
    const rows = apiKeyRepository(fixture.database.db);
    await rows.insert(
      {
        _id: 'of-people',
        type: 'upload',
        name: 'CI',
        shortId: 'reg_12345678',
        createdAt: noonPlus(0).toISOString(),
        expiresAt: noonPlus(1).toISOString(),
      },
      'a hash',
    );
    const ended = await make('one');
    fixture.now = noonPlus(HOUR_MS / 2);
    const holding = await make('one');
    fixture.now = noonPlus(HOUR_MS);
    await keys.tokens.deleteEnded(fixture.database.db);
    const { dialect } = fixture.database;
    assert.equal(await rows.hold(ended.id, dialect), undefined);
    assert.ok(await rows.hold(holding.id, dialect));
    assert.ok(await rows.hold('of-people', dialect));
  });
});
