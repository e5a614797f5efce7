import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InjectOptions } from 'fastify';
import { ACME, ACME_GEO, OTHER, type CallerName } from '../access/callers.ts';
import { READ_KEY, SCOPES, startApp, UPLOAD_KEY } from './api-keys-app.ts';
import { describeOnBothDatabases, noonPlus } from './api-keys-fixture.ts';

describeOnBothDatabases('the API key routes', (fixture) => {
  test('creating an upload key returns its fields with the raw key and forbids caching', async (t) => {
    const { as } = await startApp(t, fixture);
    const response = await as('superadmin', 'POST', '/api-keys', {
      ...UPLOAD_KEY,
      ...SCOPES,
      expiresAt: '2031-05-06T07:08:09Z',
    });
    assert.equal(response.statusCode, 201);
    assert.equal(response.headers['cache-control'], 'no-store');
    const { _id, key, shortId, ...rest } = response.json<Record<string, string>>();
    assert.match(key!, /^reg_[^_]{8}_[0-9a-f]{64}$/);
    assert.equal(shortId, key!.slice(4, 12));
    assert.ok(_id);
    assert.deepEqual(rest, {
      ...UPLOAD_KEY,
      ...SCOPES,
      expiresAt: '2031-05-06T07:08:09.000Z',
      createdAt: noonPlus(0).toISOString(),
      createdBy: { userId: 'uma', userName: 'Uma' },
    });
  });

  test('creating an upload key whose prefix covers siblings returns a warning, which is not stored', async (t) => {
    const { as } = await startApp(t, fixture);
    const created = (
      await as('superadmin', 'POST', '/api-keys', { ...UPLOAD_KEY, allowedNamePrefix: '@acme/foo' })
    ).json<{
      warnings: string[];
    }>();
    assert.match(created.warnings.join(), /^The prefix @acme\/foo also covers longer names such as @acme\/foos: /);
    const { results } = (await as('superadmin', 'GET', '/api-keys')).json<{ results: object[] }>();
    assert.ok(results.length === 1 && !('warnings' in results[0]!));
  });

  test('an admin creates a read key for their account, which has a grant', async (t) => {
    const { as } = await startApp(t, fixture);
    fixture.grants = [ACME];
    const response = await as('admin of Acme', 'POST', '/api-keys', { ...READ_KEY, owner: ACME_GEO });
    assert.equal(response.statusCode, 201);
    assert.deepEqual(response.json<{ owner: object }>().owner, ACME_GEO);
  });

  test('a key may be created with a past expiry, and is then refused', async (t) => {
    const { as, withKey } = await startApp(t, fixture);
    const created = await as('superadmin', 'POST', '/api-keys', {
      ...UPLOAD_KEY,
      expiresAt: '2020-01-01T00:00:00.000Z',
    });
    assert.equal(created.statusCode, 201);
    assert.equal((await withKey(created.json<{ key: string }>().key)).statusCode, 401);
  });

  test('lists contain all fields except the raw key and its hash', async (t) => {
    const { as, withKey, keys } = await startApp(t, fixture);
    const { key, ...created } = (await as('superadmin', 'POST', '/api-keys', { ...UPLOAD_KEY, ...SCOPES })).json<{
      key: string;
      _id: string;
    }>();
    const listed = await as('superadmin', 'GET', '/api-keys');
    assert.equal(listed.statusCode, 200);
    assert.deepEqual(listed.json(), { results: [created], count: 1 });
    assert.ok(!listed.body.includes(key.slice(-64)));

    await withKey(key);
    await keys.close();
    const used = (await as('superadmin', 'GET', '/api-keys?type=upload')).json<{ results: object[] }>();
    assert.deepEqual(used.results, [{ ...created, lastUsedAt: noonPlus(0).toISOString() }]);
  });

  test('lists accept type, skip and size', async (t) => {
    const { as } = await startApp(t, fixture);
    fixture.grants = [ACME];
    for (const [index, body] of [UPLOAD_KEY, READ_KEY, { ...UPLOAD_KEY, name: 'second' }].entries()) {
      fixture.now = noonPlus(index);
      assert.equal((await as('superadmin', 'POST', '/api-keys', body)).statusCode, 201);
    }
    const names = async (query: string) => {
      const { results, count } = (await as('superadmin', 'GET', `/api-keys${query}`)).json<{
        results: { name: string }[];
        count: number;
      }>();
      return [results.map(({ name }) => name), count];
    };
    assert.deepEqual(await names(''), [['second', 'mirror', 'CI'], 3]);
    assert.deepEqual(await names('?type=upload'), [['second', 'CI'], 2]);
    assert.deepEqual(await names('?type=read'), [['mirror'], 1]);
    assert.deepEqual(await names('?skip=1&size=1'), [['mirror'], 3]);
    assert.deepEqual(await names('?size=0'), [[], 3]);
    assert.deepEqual(await names('?size=100000'), [['second', 'mirror', 'CI'], 3]);
  });

  test('revocation answers 204 without a body, and every replica refuses the key from then on', async (t) => {
    const { as, withKey } = await startApp(t, fixture);
    const replica = await startApp(t, fixture);
    const { _id, key } = (await as('superadmin', 'POST', '/api-keys', UPLOAD_KEY)).json<{
      _id: string;
      key: string;
    }>();
    assert.equal((await replica.withKey(key)).statusCode, 403);
    const revoked = await as('superadmin', 'DELETE', `/api-keys/${_id}`);
    assert.equal(revoked.statusCode, 204);
    assert.equal(revoked.body, '');
    for (const app of [{ withKey }, replica]) assert.equal((await app.withKey(key)).statusCode, 401);
    assert.equal(
      (await as('superadmin', 'DELETE', `/api-keys/${_id}`)).json<{ code: string }>().code,
      'api_key_not_found',
    );
  });

  test('unknown, malformed, expired and revoked keys get the same answer, in either header', async (t) => {
    const { app, as } = await startApp(t, fixture);
    const create = async (fields: object) =>
      (await as('superadmin', 'POST', '/api-keys', { ...UPLOAD_KEY, ...fields })).json<{ _id: string; key: string }>();
    const [expired, revoked] = [await create({ expiresAt: '2020-01-01' }), await create({})];
    await as('superadmin', 'DELETE', `/api-keys/${revoked._id}`);
    const answers = new Set<string>();
    for (const key of [`reg_00000000_${'0'.repeat(64)}`, 'nonsense', 'x'.repeat(8000), expired.key, revoked.key]) {
      for (const headers of [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }]) {
        const response = await app.inject({ method: 'GET', url: '/api-keys', headers });
        assert.equal(response.statusCode, 401);
        answers.add(JSON.stringify({ ...response.json<object>(), requestId: '' }));
      }
    }
    assert.equal(answers.size, 1);
    assert.equal((JSON.parse([...answers][0]!) as { code: string }).code, 'api_key_invalid');
  });

  test('keys of another account and keys that do not exist get the same answer', async (t) => {
    const { as } = await startApp(t, fixture);
    fixture.grants = [OTHER];
    const foreign = (await as('superadmin', 'POST', '/api-keys', { ...READ_KEY, owner: OTHER })).json<{
      _id: string;
    }>()._id;
    const uploadKey = (await as('superadmin', 'POST', '/api-keys', UPLOAD_KEY)).json<{ _id: string }>()._id;
    const ids = [foreign, uploadKey, '00000000-0000-4000-8000-000000000000', 'x', '%00', 'x'.repeat(90)];
    const answers = await Promise.all(
      ids.map(async (id) => ({
        ...(await as('admin of Acme', 'DELETE', `/api-keys/${id}`)).json<object>(),
        requestId: '',
      })),
    );
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.partialDeepStrictEqual(answers[0], { status: 404, code: 'api_key_not_found' });
  });

  const refusals: [caller: CallerName, method: 'POST' | 'GET' | 'DELETE', status: number, code: string][] = [
    ['anonymous', 'POST', 401, 'unauthenticated'],
    ['anonymous', 'GET', 401, 'unauthenticated'],
    ['anonymous', 'DELETE', 401, 'unauthenticated'],
    ['internal', 'POST', 403, 'forbidden'],
    ['internal', 'GET', 403, 'forbidden'],
    ['internal', 'DELETE', 403, 'forbidden'],
    ['member of Acme', 'POST', 403, 'forbidden'],
    ['member of Acme', 'DELETE', 403, 'forbidden'],
  ];
  for (const [caller, method, status, code] of refusals) {
    test(`${method} by ${caller} is refused with ${status} ${code}`, async (t) => {
      const { as } = await startApp(t, fixture);
      fixture.grants = [ACME];
      const { _id } = (await as('superadmin', 'POST', '/api-keys', READ_KEY)).json<{ _id: string }>();
      const response = await as(
        caller,
        method,
        method === 'DELETE' ? `/api-keys/${_id}` : '/api-keys',
        method === 'POST' ? READ_KEY : undefined,
      );
      assert.deepEqual([response.statusCode, response.json<{ code: string }>().code], [status, code]);
    });
  }

  test('keys of either type cannot create, list or revoke keys', async (t) => {
    const { app, as } = await startApp(t, fixture);
    fixture.grants = [ACME];
    for (const body of [UPLOAD_KEY, READ_KEY]) {
      const { _id, key } = (await as('superadmin', 'POST', '/api-keys', body)).json<{ _id: string; key: string }>();
      const headers = { 'x-api-key': key };
      const requests: InjectOptions[] = [
        { method: 'POST', url: '/api-keys', body: UPLOAD_KEY },
        { method: 'GET', url: '/api-keys' },
        { method: 'DELETE', url: `/api-keys/${_id}` },
      ];
      for (const request of requests) assert.equal((await app.inject({ ...request, headers })).statusCode, 403);
    }
  });

  test('a read key for an owner without a grant is refused with no_access_grant', async (t) => {
    const { as } = await startApp(t, fixture);
    for (const caller of ['superadmin', 'admin of Acme'] as const) {
      const response = await as(caller, 'POST', '/api-keys', READ_KEY);
      assert.deepEqual([response.statusCode, response.json<{ code: string }>().code], [403, 'no_access_grant']);
    }
  });
});
