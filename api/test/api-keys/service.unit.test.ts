import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Account, Caller } from '../../src/access/index.ts';
import type { NewApiKey } from '../../src/api-keys/schemas.ts';
import { createApiKeyService } from '../../src/api-keys/service.ts';
import {
  ACME,
  ACME_GEO,
  ACME_SEA,
  CALLER_NAMES,
  CALLERS,
  OTHER,
  UMA,
  userCaller,
  type CallerName,
} from '../access/callers.ts';
import { actorOf, describeOnBothDatabases, failingAt, noonPlus } from './api-keys-fixture.ts';

const superadmin = actorOf(CALLERS.superadmin);
const upload = { type: 'upload', name: 'CI' } as const;
const readKeyOf = (owner: Account, name = 'mirror'): NewApiKey => ({ type: 'read', name, owner });

describeOnBothDatabases('the key service', (fixture) => {
  const service = () => createApiKeyService(fixture.options);
  const namesListed = async (caller: Caller, type?: 'upload' | 'read') =>
    (await service().list(caller, type ? { type } : {})).results.map((key) => key.name);
  const audited = () =>
    fixture.database.db.selectFrom('audit_events').selectAll().orderBy('at').orderBy('id').execute();
  const storedKeys = () => fixture.database.db.selectFrom('api_keys').selectAll().execute();

  test('creates a key and returns its fields with the raw key', async () => {
    const { _id, key, shortId, ...rest } = await service().create(superadmin, {
      ...upload,
      allowedNamePrefix: '@acme/',
      expiresAt: '2031-01-01',
    });
    assert.deepEqual(rest, {
      ...upload,
      allowedNamePrefix: '@acme/',
      expiresAt: '2031-01-01T00:00:00.000Z',
      createdAt: noonPlus(0).toISOString(),
      createdBy: { userId: 'uma', userName: 'Uma' },
    });
    assert.match(_id, /^[0-9a-f-]{36}$/);
    assert.ok(key.startsWith(`reg_${shortId}_`));
  });

  test('stores neither the raw key nor its secret part', async () => {
    const { key } = await service().create(superadmin, upload);
    const stored = JSON.stringify([await storedKeys(), await audited()]);
    assert.ok(!stored.includes(key.slice(-64)));
  });

  test('audits creation and revocation with the scopes and without the raw key', async () => {
    fixture.grants = [ACME];
    const scoped = await service().create(superadmin, { ...upload, allowedName: 'a@1' });
    const read = await service().create(superadmin, readKeyOf(ACME));
    await service().revoke(superadmin, scoped._id);
    const event = {
      actor_kind: 'user',
      actor_id: 'uma',
      actor_name: 'Uma',
      target_type: 'api-key',
      outcome: 'success',
      ip: '192.0.2.1',
      request_id: 'request-1',
    };
    const [first, , last] = await audited();
    assert.partialDeepStrictEqual({ ...first }, { ...event, action: 'api-key.create', target_id: scoped._id });
    assert.partialDeepStrictEqual({ ...last }, { ...event, action: 'api-key.revoke', target_id: scoped._id });
    assert.deepEqual(
      (await audited()).map(({ details }) => JSON.parse(details!) as unknown),
      [
        { ...upload, shortId: scoped.shortId, allowedName: 'a@1' },
        { type: 'read', name: 'mirror', shortId: read.shortId, owner: ACME },
        { ...upload, shortId: scoped.shortId, allowedName: 'a@1' },
      ],
    );
  });

  test('stores neither key nor audit event if either fails', async () => {
    const failing = createApiKeyService({
      ...fixture.options,
      database: failingAt(fixture.database, 'insert audit_events'),
    });
    await assert.rejects(failing.create(superadmin, upload), /insert audit_events fails/);
    assert.deepEqual([await storedKeys(), await audited()], [[], []]);
    const { _id } = await service().create(superadmin, upload);
    await assert.rejects(failing.revoke(superadmin, _id), /insert audit_events fails/);
    assert.equal((await storedKeys()).length, 1);
    assert.equal((await audited()).length, 1);
  });

  test('refuses a read key if its owner has no grant, for every caller', async () => {
    fixture.grants = [ACME_SEA];
    for (const owner of [ACME, ACME_GEO, OTHER])
      await assert.rejects(service().create(superadmin, readKeyOf(owner)), { code: 'no_access_grant', status: 403 });
    await assert.rejects(service().create(actorOf(CALLERS['admin of Acme']), readKeyOf(ACME)), {
      code: 'no_access_grant',
    });
    assert.deepEqual([await storedKeys(), await audited()], [[], []]);
  });

  test('checks the fields before the permission, and the permission before the grant', async () => {
    const anonymous = actorOf(CALLERS.anonymous);
    await assert.rejects(service().create(anonymous, { ...upload, allowedCategory: 'unknown' }), {
      code: 'api_key_fields_invalid',
    });
    await assert.rejects(service().create(anonymous, readKeyOf(ACME)), { code: 'unauthenticated' });
    await assert.rejects(service().create(actorOf(CALLERS['member of Acme']), readKeyOf(ACME)), { code: 'forbidden' });
  });

  /** Outcome of creating each key: C for created, else the status. */
  const creation: Record<CallerName, [upload: string, ofAcme: string, ofAcmeGeo: string, ofUma: string]> = {
    'anonymous': ['401', '401', '401', '401'],
    'internal': ['403', '403', '403', '403'],
    'internal for Acme': ['403', '403', '403', '403'],
    'internal for Acme/geo': ['403', '403', '403', '403'],
    'upload key': ['403', '403', '403', '403'],
    'read key of Acme': ['403', '403', '403', '403'],
    'read key of Acme without grant': ['403', '403', '403', '403'],
    'read key of Acme/geo': ['403', '403', '403', '403'],
    'superadmin': ['C', 'C', 'C', 'C'],
    'admin of Acme': ['403', 'C', 'C', '403'],
    'admin of Acme/geo': ['403', '403', 'C', '403'],
    'member of Acme': ['403', '403', '403', '403'],
    'member of Acme without grant': ['403', '403', '403', '403'],
    'member of Acme/geo': ['403', '403', '403', '403'],
    'Uma for herself': ['403', '403', '403', 'C'],
    'admin of another organisation': ['403', '403', '403', '403'],
  };
  for (const name of CALLER_NAMES) {
    test(`creation by ${name}: ${creation[name].join(' ')}`, async () => {
      fixture.grants = [ACME, UMA];
      const attempts = [upload, readKeyOf(ACME), readKeyOf(ACME_GEO), readKeyOf(UMA)];
      const outcomes: string[] = [];
      for (const fields of attempts)
        outcomes.push(await outcomeOf(service().create(actorOf(CALLERS[name]), fields), 'C'));
      assert.deepEqual(outcomes, creation[name]);
    });
  }

  /** Keys in each caller's list, and the outcome of revoking each key: D for deleted, else the status. */
  const ALL = ['upload', 'of Acme', 'of Acme/geo', 'of Acme/sea', 'of Uma', 'of another'] as const;
  const nothing = (status: string) => ({ listed: status, revoked: ALL.map(() => status) });
  const rights: Record<CallerName, { listed: readonly string[] | string; revoked: string[] }> = {
    'anonymous': nothing('401'),
    'internal': nothing('403'),
    'internal for Acme': nothing('403'),
    'internal for Acme/geo': nothing('403'),
    'upload key': nothing('403'),
    'read key of Acme': nothing('403'),
    'read key of Acme without grant': nothing('403'),
    'read key of Acme/geo': nothing('403'),
    'superadmin': { listed: ALL, revoked: ['D', 'D', 'D', 'D', 'D', 'D'] },
    'admin of Acme': {
      listed: ['of Acme', 'of Acme/geo', 'of Acme/sea'],
      revoked: ['404', 'D', 'D', 'D', '404', '404'],
    },
    'admin of Acme/geo': { listed: ['of Acme/geo'], revoked: ['404', '404', 'D', '404', '404', '404'] },
    'member of Acme': {
      listed: ['of Acme', 'of Acme/geo', 'of Acme/sea'],
      revoked: ['404', '403', '403', '403', '404', '404'],
    },
    'member of Acme without grant': {
      listed: ['of Acme', 'of Acme/geo', 'of Acme/sea'],
      revoked: ['404', '403', '403', '403', '404', '404'],
    },
    'member of Acme/geo': { listed: ['of Acme/geo'], revoked: ['404', '404', '403', '404', '404', '404'] },
    'Uma for herself': { listed: ['of Uma'], revoked: ['404', '404', '404', '404', 'D', '404'] },
    'admin of another organisation': { listed: ['of another'], revoked: ['404', '404', '404', '404', '404', 'D'] },
  };
  const createAll = async () => {
    fixture.grants = [ACME, UMA, OTHER];
    const fields: NewApiKey[] = [
      { ...upload, name: 'upload' },
      readKeyOf(ACME, 'of Acme'),
      readKeyOf(ACME_GEO, 'of Acme/geo'),
      readKeyOf(ACME_SEA, 'of Acme/sea'),
      readKeyOf(UMA, 'of Uma'),
      readKeyOf(OTHER, 'of another'),
    ];
    const ids: string[] = [];
    for (const [index, it] of fields.entries()) {
      fixture.now = noonPlus(-index);
      ids.push((await service().create(superadmin, it))._id);
    }
    return ids;
  };
  for (const name of CALLER_NAMES) {
    const { listed, revoked } = rights[name];
    test(`${name} lists ${typeof listed === 'string' ? listed : listed.join(', ')}`, async () => {
      await createAll();
      const outcome: string[] | string = await namesListed(CALLERS[name]).catch(statusOf);
      assert.deepEqual(outcome, listed);
    });

    test(`revocation by ${name}: ${revoked.join(' ')}`, async () => {
      const outcomes: string[] = [];
      for (const id of await createAll())
        outcomes.push(await outcomeOf(service().revoke(actorOf(CALLERS[name]), id), 'D'));
      assert.deepEqual(outcomes, revoked);
      assert.equal((await storedKeys()).length, revoked.filter((outcome) => outcome !== 'D').length);
    });
  }

  test('filters the list by type without widening it', async () => {
    await createAll();
    assert.deepEqual(await namesListed(CALLERS.superadmin, 'upload'), ['upload']);
    assert.deepEqual(await namesListed(CALLERS.superadmin, 'read'), ALL.slice(1));
    assert.deepEqual(await namesListed(CALLERS['member of Acme/geo'], 'read'), ['of Acme/geo']);
    assert.deepEqual(await namesListed(CALLERS['admin of Acme'], 'upload'), []);
  });

  test('a superadmin who acts for an account still lists all keys', async () => {
    await createAll();
    assert.deepEqual(await namesListed(userCaller({ isAdmin: true, account: ACME_GEO })), ALL);
  });

  test('pages the list', async () => {
    await createAll();
    const { results, count } = await service().list(CALLERS.superadmin, { skip: 1, size: 2 });
    assert.deepEqual([results.map((key) => key.name), count], [['of Acme', 'of Acme/geo'], 6]);
  });

  test('has 1000 keys on a page by default and counts all', async () => {
    const { _id } = await service().create(superadmin, upload);
    const [row] = await storedKeys();
    await fixture.database.db
      .insertInto('api_keys')
      .values(Array.from({ length: 1000 }, (_, index) => ({ ...row!, id: `${_id} ${index}`, hash: String(index) })))
      .execute();
    const { results, count } = await service().list(CALLERS.superadmin, {});
    assert.deepEqual([results.length, count], [1000, 1001]);
  });

  test('two concurrent revocations of a key get one 204 and one 404', async () => {
    const { _id } = await service().create(superadmin, upload);
    const outcomes = await Promise.all([1, 2].map(() => outcomeOf(service().revoke(superadmin, _id), 'D')));
    assert.deepEqual(outcomes.sort(), ['404', 'D']);
    assert.equal((await audited()).filter(({ action }) => action === 'api-key.revoke').length, 1);
  });

  test('malformed IDs are not found', async () => {
    for (const id of ['', 'x', '\0', 'é'.repeat(10_000), "'", '00000000-0000-0000-0000-000000000000'])
      await assert.rejects(service().revoke(superadmin, id), { code: 'api_key_not_found', status: 404 });
  });
});

async function outcomeOf(work: Promise<unknown>, success: string): Promise<string> {
  return work.then(() => success, statusOf);
}

function statusOf(error: unknown): string {
  if (error instanceof Error && 'status' in error) return String(error.status);
  throw error;
}
