import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test } from 'node:test';
import { apiKeyRepository } from '../../src/api-keys/repository.ts';
import { createApiKeyService } from '../../src/api-keys/service.ts';
import type { NewApiKey } from '../../src/api-keys/schemas.ts';
import { createDatabase } from '../../src/db/index.ts';
import { SYSTEM_ACTOR } from '../../src/access/index.ts';
import { ACME, ACME_GEO, ACME_SEA, CALLERS } from '../access/callers.ts';
import { actorOf, describeOnBothDatabases, failingAt, noonPlus } from './api-keys-fixture.ts';

const superadmin = actorOf(CALLERS.superadmin);
const SCOPES = {
  allowedName: '@acme/a@1',
  allowedNamePrefix: '@acme/',
  allowedPackageName: '@acme/a',
  allowedCategory: 'other',
};

describeOnBothDatabases('a raw key', (fixture) => {
  const create = (fields: Partial<NewApiKey> = {}) =>
    createApiKeyService(fixture.options).create(superadmin, { type: 'upload', name: 'CI', ...fields });
  const revoke = (id: string) => createApiKeyService(fixture.options).revoke(superadmin, id);
  const lastUsedAt = async (id: string) => (await apiKeyRepository(fixture.database.db).find(id))?.lastUsedAt;

  test('of an upload key resolves to a caller with its scopes', async () => {
    const keys = fixture.open();
    const { key, _id: id, shortId } = await create(SCOPES);
    assert.deepEqual(await keys.authenticate(key), {
      kind: 'upload-key',
      key: { id, name: 'CI', shortId },
      scopes: SCOPES,
    });
    const bare = await create();
    assert.deepEqual(await keys.authenticate(bare.key), {
      kind: 'upload-key',
      key: { id: bare._id, name: 'CI', shortId: bare.shortId },
      scopes: {},
    });
  });

  test('of a read key resolves to a caller for its owner, with the grant read on every call', async () => {
    const keys = fixture.open();
    fixture.grants = [ACME];
    const { key, _id: id, shortId } = await create({ type: 'read', owner: ACME_GEO });
    const caller = { kind: 'read-key', key: { id, name: 'CI', shortId }, account: ACME_GEO, hasGrant: true } as const;
    assert.deepEqual(await keys.authenticate(key), caller);
    fixture.grants = [ACME_SEA];
    assert.deepEqual(await keys.authenticate(key), { ...caller, hasGrant: false });
    fixture.grants = [ACME_GEO];
    assert.deepEqual(await keys.authenticate(key), caller);
  });

  test('that is malformed, unknown, or stored under another salt resolves to undefined', async () => {
    const { key, shortId } = await create();
    const keys = fixture.open();
    for (const other of ['', 'x', shortId, `${key} `, `reg_${shortId}_${'0'.repeat(64)}`, key.repeat(10_000)])
      assert.equal(await keys.authenticate(other), undefined);
    assert.equal(await fixture.open({ salt: 'another' }).authenticate(key), undefined);
  });

  test('that is malformed is refused without a query', async () => {
    const closed = createDatabase({ url: ':memory:' });
    await closed.close();
    const keys = fixture.open({ database: closed });
    assert.equal(await keys.authenticate('not a key'), undefined);
    await assert.rejects(keys.authenticate(`reg_12345678_${'0'.repeat(64)}`));
  });

  test('is refused from its expiry on, by the clock at each call', async () => {
    const keys = fixture.open();
    const { key } = await create({ expiresAt: noonPlus(1000).toISOString() });
    fixture.now = noonPlus(999);
    assert.ok(await keys.authenticate(key));
    fixture.now = noonPlus(1000);
    assert.equal(await keys.authenticate(key), undefined);
  });

  test('with a past expiry is refused and not recorded as used', async () => {
    const keys = fixture.open();
    const { key, _id: id } = await create({ expiresAt: '2020-01-01' });
    assert.equal(await keys.authenticate(key), undefined);
    await keys.close();
    assert.equal(await lastUsedAt(id), undefined);
  });

  test('is refused by every replica as soon as one revokes it', async () => {
    const replicas = [fixture.open(), fixture.open()];
    const { key, _id: id } = await create();
    for (const replica of replicas) assert.ok(await replica.authenticate(key));
    await revoke(id);
    for (const replica of replicas) assert.equal(await replica.authenticate(key), undefined);
  });

  test('is refused as soon as the keys of its owner are deleted', async () => {
    const keys = fixture.open();
    fixture.grants = [ACME];
    const [geo, sea] = [
      await create({ type: 'read', owner: ACME_GEO }),
      await create({ type: 'read', owner: ACME_SEA }),
    ];
    await fixture.database.transaction((tx) => keys.deleteKeysOf(tx, SYSTEM_ACTOR, ACME_GEO));
    assert.equal(await keys.authenticate(geo.key), undefined);
    assert.ok(await keys.authenticate(sea.key));
  });

  test('is recorded as used immediately the first time, then at most once a minute', async () => {
    const keys = fixture.open();
    const { key, _id: id } = await create();
    const useAfter = async (milliseconds: number) => {
      fixture.now = noonPlus(milliseconds);
      await keys.authenticate(key);
      await keys.close();
      return lastUsedAt(id);
    };
    assert.equal(await lastUsedAt(id), undefined);
    assert.equal(await useAfter(0), noonPlus(0).toISOString());
    assert.equal(await useAfter(1), noonPlus(0).toISOString());
    assert.equal(await useAfter(59_999), noonPlus(0).toISOString());
    assert.equal(await useAfter(60_000), noonPlus(60_000).toISOString());
    assert.equal(await useAfter(119_999), noonPlus(60_000).toISOString());
    assert.equal(await useAfter(600_000), noonPlus(600_000).toISOString());
  });

  test('is recorded as used once for concurrent calls', async () => {
    const keys = fixture.open();
    const { key, _id: id } = await create();
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => {
        fixture.now = noonPlus(index);
        return keys.authenticate(key);
      }),
    );
    await keys.close();
    const recorded = await lastUsedAt(id);
    assert.ok(recorded);
    fixture.now = noonPlus(1000);
    await keys.authenticate(key);
    await keys.close();
    assert.equal(await lastUsedAt(id), recorded);
  });

  test('is accepted even if its use cannot be recorded, which is reported to onError', async () => {
    const { key } = await create();
    const keys = fixture.open({ database: failingAt(fixture.database, 'update api_keys') });
    assert.equal((await keys.authenticate(key))?.kind, 'upload-key');
    await keys.close();
    assert.equal(fixture.errors.length, 1);
    assert.match(String(fixture.errors[0]), /update api_keys fails/);
  });
});

describeOnBothDatabases('a key that is read again in a transaction', (fixture) => {
  const service = () => createApiKeyService(fixture.options);
  const create = (fields: Partial<NewApiKey> = {}) =>
    service().create(superadmin, { type: 'upload', name: 'CI', ...fields });
  const reload = (key: string) => fixture.database.transaction((tx) => fixture.open().reload(key, tx));
  const rotate = (id: string, overlapSeconds: number) => service().rotate(superadmin, id, { overlapSeconds });

  test('resolves to the same caller, with its scopes and grant as of now', async () => {
    const { key, _id: id } = await create(SCOPES);
    assert.deepEqual(await reload(key), await fixture.open().authenticate(key));
    await fixture.database.db.updateTable('api_keys').set({ allowed_name: 'other' }).where('id', '=', id).execute();
    assert.partialDeepStrictEqual(await reload(key), { scopes: { ...SCOPES, allowedName: 'other' } });
    fixture.grants = [ACME];
    const { key: readKey } = await create({ type: 'read', owner: ACME });
    assert.partialDeepStrictEqual(await reload(readKey), { kind: 'read-key', account: ACME, hasGrant: true });
    fixture.grants = [];
    assert.partialDeepStrictEqual(await reload(readKey), { hasGrant: false });
  });

  test('is invalid if it has expired or was revoked', async () => {
    const { key, _id: id } = await create({ expiresAt: noonPlus(1).toISOString() });
    assert.ok(await reload(key));
    fixture.now = noonPlus(1);
    assert.equal(await reload(key), undefined);
    fixture.now = noonPlus(0);
    await service().revoke(superadmin, id);
    assert.equal(await reload(key), undefined);
  });

  test('is valid after a rotation for as long as the overlap', async () => {
    const { key, _id: id } = await create();
    const { key: second } = await rotate(id, 1);
    assert.ok(await reload(key));
    assert.ok(await reload(second));
    fixture.now = noonPlus(1000);
    assert.equal(await reload(key), undefined);
    await rotate(id, 0);
    assert.equal(await reload(second), undefined);
  });

  test('is not recorded as used', async () => {
    const { key, _id: id } = await create();
    await reload(key);
    assert.equal((await apiKeyRepository(fixture.database.db).find(id))?.lastUsedAt, undefined);
  });

  for (const [change, end] of Object.entries({
    revoked: (id: string) => service().revoke(superadmin, id),
    rotated: (id: string) => rotate(id, 0),
  })) {
    test(`cannot be ${change} before the commit`, async () => {
      const keys = fixture.open();
      const { key, _id: id } = await create();
      const events: string[] = [];
      let ended: Promise<unknown> | undefined;
      await fixture.database.transaction(async (tx) => {
        assert.ok(await keys.reload(key, tx));
        ended = end(id).then(() => events.push(change));
        for (let round = 0; round < 50; round++) {
          await apiKeyRepository(tx).find(id);
          await setImmediate();
        }
        assert.ok(await keys.reload(key, tx));
        events.push('committed');
      });
      await ended;
      assert.deepEqual(events, ['committed', change]);
    });
  }

  test('is invalid if an earlier, uncommitted revocation commits', async () => {
    const keys = fixture.open();
    const { key, _id: id } = await create();
    let checked: Promise<unknown> | undefined;
    await fixture.database.transaction(async (tx) => {
      await apiKeyRepository(tx).delete(id);
      checked = fixture.database.transaction((other) => keys.reload(key, other));
      for (let round = 0; round < 50; round++) {
        await apiKeyRepository(tx).find(id);
        await setImmediate();
      }
    });
    assert.equal(await checked, undefined);
  });
});
