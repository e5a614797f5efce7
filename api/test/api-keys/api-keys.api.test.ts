import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FastifyInstance, InjectOptions } from 'fastify';
import { registerActor } from '../../src/access/index.ts';
import { createHttpServer } from '../../src/http/index.ts';
import { ACME, ACME_GEO, CALLERS, OTHER, type CallerName } from '../access/callers.ts';
import { CATEGORIES, describeOnBothDatabases, noonPlus, type Fixture } from './api-keys-fixture.ts';

const upload = { type: 'upload', name: 'CI' };
const read = { type: 'read', name: 'mirror', owner: ACME };
const SCOPES = {
  allowedName: '@acme/a@1',
  allowedNamePrefix: '@acme/',
  allowedPackageName: '@acme/a',
  allowedCategory: 'processing',
};

describeOnBothDatabases('the routes of keys', (fixture) => {
  test(
    'an upload key is created with its fields at the root and the raw key beside them, which no ' + 'cache keeps',
    async (t) => {
      const { as } = await startApp(t, fixture);
      const response = await as('superadmin', 'POST', '/api-keys', {
        ...upload,
        ...SCOPES,
        expiresAt: '2031-05-06T07:08:09Z',
      });
      assert.equal(response.statusCode, 201);
      assert.equal(response.headers['cache-control'], 'no-store');
      const { _id, key, shortId, ...rest } = response.json<Record<string, string>>();
      assert.match(key!, /^reg_[^_]{8}_[0-9a-f]{64}$/);
      assert.equal(shortId, key!.slice(0, 12));
      assert.ok(_id);
      assert.deepEqual(rest, {
        ...upload,
        ...SCOPES,
        expiresAt: '2031-05-06T07:08:09.000Z',
        createdAt: noonPlus(0).toISOString(),
        createdBy: { userId: 'uma', userName: 'Uma' },
      });
    },
  );

  test('a read key is created for an account that holds a grant, by its admin', async (t) => {
    const { as } = await startApp(t, fixture);
    fixture.grants = [ACME];
    const response = await as('admin of Acme', 'POST', '/api-keys', { ...read, owner: ACME_GEO });
    assert.equal(response.statusCode, 201);
    assert.deepEqual(response.json<{ owner: object }>().owner, ACME_GEO);
  });

  test('a past expiry is accepted, and the key is refused', async (t) => {
    const { as, withKey } = await startApp(t, fixture);
    const created = await as('superadmin', 'POST', '/api-keys', { ...upload, expiresAt: '2020-01-01T00:00:00.000Z' });
    assert.equal(created.statusCode, 201);
    assert.equal((await withKey(created.json<{ key: string }>().key)).statusCode, 401);
  });

  test('lists hold everything of a key but the key and its hash', async (t) => {
    const { as, withKey, keys } = await startApp(t, fixture);
    const { key, ...created } = (await as('superadmin', 'POST', '/api-keys', { ...upload, ...SCOPES })).json<{
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

  test('lists take type, skip and size', async (t) => {
    const { as } = await startApp(t, fixture);
    fixture.grants = [ACME];
    for (const [index, body] of [upload, read, { ...upload, name: 'second' }].entries()) {
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

  test('a key is revoked with 204 and no body, and refused from the next request on', async (t) => {
    const { as, withKey } = await startApp(t, fixture);
    const replica = await startApp(t, fixture);
    const { _id, key } = (await as('superadmin', 'POST', '/api-keys', upload)).json<{ _id: string; key: string }>();
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

  test('a key is replaced: both hold for a while, then the new one alone', async (t) => {
    const { as, withKey } = await startApp(t, fixture);
    const { _id, key, shortId } = (await as('superadmin', 'POST', '/api-keys', { ...upload, ...SCOPES })).json<{
      _id: string;
      key: string;
      shortId: string;
    }>();
    fixture.now = noonPlus(60_000);
    const response = await as('superadmin', 'POST', `/api-keys/${_id}/rotate`, { overlapSeconds: 3600 });
    assert.deepEqual([response.statusCode, response.headers['cache-control']], [201, 'no-store']);
    const rotated = response.json<Record<string, string>>();
    assert.partialDeepStrictEqual(rotated, {
      _id,
      ...SCOPES,
      rotatedAt: noonPlus(60_000).toISOString(),
      previousShortId: shortId,
      previousUntil: noonPlus(3_660_000).toISOString(),
    });
    assert.notEqual(rotated['key'], key);
    assert.equal(rotated['shortId'], rotated['key']?.slice(0, 12));
    const statuses = async () =>
      Promise.all([key, rotated['key'] ?? ''].map(async (raw) => (await withKey(raw)).statusCode));
    assert.deepEqual(await statuses(), [403, 403]);
    fixture.now = noonPlus(3_660_000);
    assert.deepEqual(await statuses(), [401, 403]);
  });

  test(
    'a key that is replaced twice holds in its last two forms, and one that is replaced without overlap in ' +
      'the last one',
    async (t) => {
      const { as, withKey } = await startApp(t, fixture);
      const created = (await as('superadmin', 'POST', '/api-keys', upload)).json<{ _id: string; key: string }>();
      const rotate = async (body?: object) =>
        (await as('superadmin', 'POST', `/api-keys/${created._id}/rotate`, body)).json<{ key: string }>().key;
      const [second, third] = [await rotate(), await rotate()];
      const statuses = async (keys: string[]) => Promise.all(keys.map(async (raw) => (await withKey(raw)).statusCode));
      assert.deepEqual(await statuses([created.key, second, third]), [401, 403, 403]);
      const fourth = await rotate({ overlapSeconds: 0 });
      assert.deepEqual(await statuses([second, third, fourth]), [401, 401, 403]);
    },
  );

  test('a key that has ended is replaced only with a new end, which may be none', async (t) => {
    const { as, withKey } = await startApp(t, fixture);
    const { _id } = (await as('superadmin', 'POST', '/api-keys', { ...upload, expiresAt: '2020-01-01' })).json<{
      _id: string;
    }>();
    const rotate = async (body: object) => as('superadmin', 'POST', `/api-keys/${_id}/rotate`, body);
    assert.equal((await rotate({})).json<{ code: string }>().code, 'api_key_fields_invalid');
    for (const expiresAt of ['2016-12-31T23:59:60Z', 'tomorrow', 7])
      assert.equal((await rotate({ expiresAt })).statusCode, 400);
    const endless = (await rotate({ expiresAt: null })).json<{ key: string; expiresAt?: string }>();
    assert.equal(endless.expiresAt, undefined);
    assert.equal((await withKey(endless.key)).statusCode, 403);
    for (const overlapSeconds of [-1, 1.5, 31 * 86_400, 'day'])
      assert.equal((await rotate({ overlapSeconds })).statusCode, 400);
  });

  test('a key is replaced by those who may revoke it, and unknown to others', async (t) => {
    const { as } = await startApp(t, fixture);
    fixture.grants = [ACME];
    const { _id } = (await as('superadmin', 'POST', '/api-keys', read)).json<{ _id: string }>();
    const answers = await Promise.all(
      (['admin of Acme', 'member of Acme', 'admin of another organisation'] as const).map(async (caller) => {
        const response = await as(caller, 'POST', `/api-keys/${_id}/rotate`, {});
        return [response.statusCode, response.json<{ code?: string }>().code];
      }),
    );
    assert.deepEqual(answers, [
      [201, undefined],
      [403, 'forbidden'],
      [404, 'api_key_not_found'],
    ]);
  });

  test(
    'an unknown, a malformed, an expired and a revoked key get the same answer, with x-api-key and ' + 'as a bearer',
    async (t) => {
      const { app, as } = await startApp(t, fixture);
      const create = async (fields: object) =>
        (await as('superadmin', 'POST', '/api-keys', { ...upload, ...fields })).json<{ _id: string; key: string }>();
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
    },
  );

  test('a key of another account and one that does not exist get the same answer', async (t) => {
    const { as } = await startApp(t, fixture);
    fixture.grants = [OTHER];
    const foreign = (await as('superadmin', 'POST', '/api-keys', { ...read, owner: OTHER })).json<{ _id: string }>()
      ._id;
    const uploadKey = (await as('superadmin', 'POST', '/api-keys', upload)).json<{ _id: string }>()._id;
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

  const badBodies: Record<string, [body: unknown, path: string]> = {
    'no type': [{ name: 'CI' }, ''],
    'an unknown type': [{ ...upload, type: 'admin' }, '/type'],
    'no name': [{ type: 'upload' }, ''],
    'an empty name': [{ ...upload, name: '' }, '/name'],
    'a blank name': [{ ...upload, name: ' \u00a0' }, '/name'],
    'a name of 201 characters': [{ ...upload, name: 'n'.repeat(201) }, '/name'],
    'a NUL in the name': [{ ...upload, name: 'C\0I' }, '/name'],
    'a number as name': [{ ...upload, name: 5 }, '/name'],
    'an unknown field': [{ ...upload, admin: true }, '/admin'],
    'a hash': [{ ...upload, hash: 'x' }, '/hash'],
    'an empty id': [{ ...upload, allowedName: '' }, '/allowedName'],
    'an empty prefix': [{ ...upload, allowedNamePrefix: '' }, '/allowedNamePrefix'],
    'a blank prefix': [{ ...upload, allowedNamePrefix: '  ' }, '/allowedNamePrefix'],
    'an empty package name': [{ ...upload, allowedPackageName: '' }, '/allowedPackageName'],
    'an empty category': [{ ...upload, allowedCategory: '' }, '/allowedCategory'],
    'an unknown category': [{ ...upload, allowedCategory: 'tileset' }, '/allowedCategory'],
    'null as a scope': [{ ...upload, allowedName: null }, '/allowedName'],
    'a scope that is too long': [{ ...upload, allowedName: 'x'.repeat(257) }, '/allowedName'],
    'a scope on a read key': [{ ...read, allowedCategory: 'processing' }, '/allowedCategory'],
    'a read key without owner': [{ type: 'read', name: 'mirror' }, '/owner'],
    'an owner on an upload key': [{ ...upload, owner: ACME }, '/owner'],
    'an owner of an unknown type': [{ ...read, owner: { type: 'team', id: 'acme' } }, '/owner/type'],
    'an owner without id': [{ ...read, owner: { type: 'user', id: '' } }, '/owner/id'],
    'an owner with a NUL': [{ ...read, owner: { type: 'user', id: 'a\0' } }, '/owner/id'],
    'an owner with an unknown field': [{ ...read, owner: { ...ACME, role: 'admin' } }, '/owner/role'],
    'a user with a department as owner': [
      { ...read, owner: { type: 'user', id: 'uma', department: 'geo' } },
      '/owner/department',
    ],
    'an expiry that is no date': [{ ...upload, expiresAt: 'tomorrow' }, '/expiresAt'],
    'an expiry without a time zone': [{ ...upload, expiresAt: '2031-01-01T00:00:00' }, '/expiresAt'],
    'an expiry on no day of the calendar': [{ ...upload, expiresAt: '2031-02-30' }, '/expiresAt'],
    'an expiry as a number': [{ ...upload, expiresAt: 1900000000000 }, '/expiresAt'],
    'a leap second as expiry': [{ ...upload, expiresAt: '2016-12-31T23:59:60Z' }, '/expiresAt'],
  };
  test('a bad field is a 400 that names it, before any 401 or 403, and nothing is stored', async (t) => {
    const { as } = await startApp(t, fixture);
    for (const [name, [body, path]] of Object.entries(badBodies)) {
      for (const caller of ['superadmin', 'member of Acme', 'anonymous'] as const) {
        const response = await as(caller, 'POST', '/api-keys', body);
        const problem = response.json<{ code: string; errors: { path: string }[] }>();
        assert.equal(response.statusCode, 400, `${name}: ${response.body}`);
        assert.match(String(response.headers['content-type']), /^application\/problem\+json(;|$)/);
        assert.match(problem.code, /^(request_invalid|api_key_fields_invalid)$/);
        assert.ok(
          problem.errors.some((error) => error.path === path),
          `${name}: ${response.body}`,
        );
      }
    }
    assert.deepEqual(await fixture.database.db.selectFrom('api_keys').selectAll().execute(), []);
  });

  for (const query of [
    'type=admin',
    'type=',
    'type=upload&type=read',
    'q=x',
    'size=-1',
    'skip=x',
    'skip=1e30',
    'size=1e30',
  ]) {
    test(`the query ${query} is a 400`, async (t) => {
      const { as } = await startApp(t, fixture);
      const response = await as('superadmin', 'GET', `/api-keys?${query}`);
      assert.deepEqual([response.statusCode, response.json<{ code: string }>().code], [400, 'request_invalid']);
    });
  }

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
    test(`${method} by ${caller} is a ${status} with the code ${code}`, async (t) => {
      const { as } = await startApp(t, fixture);
      fixture.grants = [ACME];
      const { _id } = (await as('superadmin', 'POST', '/api-keys', read)).json<{ _id: string }>();
      const response = await as(
        caller,
        method,
        method === 'DELETE' ? `/api-keys/${_id}` : '/api-keys',
        method === 'POST' ? read : undefined,
      );
      assert.deepEqual([response.statusCode, response.json<{ code: string }>().code], [status, code]);
    });
  }

  test('a key of either type makes, lists and revokes no keys', async (t) => {
    const { app, as } = await startApp(t, fixture);
    fixture.grants = [ACME];
    for (const body of [upload, read]) {
      const { _id, key } = (await as('superadmin', 'POST', '/api-keys', body)).json<{ _id: string; key: string }>();
      const headers = { 'x-api-key': key };
      const requests: InjectOptions[] = [
        { method: 'POST', url: '/api-keys', body: upload },
        { method: 'GET', url: '/api-keys' },
        { method: 'DELETE', url: `/api-keys/${_id}` },
      ];
      for (const request of requests) assert.equal((await app.inject({ ...request, headers })).statusCode, 403);
    }
  });

  test('a read key without grant of its owner is a 403 of its own code', async (t) => {
    const { as } = await startApp(t, fixture);
    for (const caller of ['superadmin', 'admin of Acme'] as const) {
      const response = await as(caller, 'POST', '/api-keys', read);
      assert.deepEqual([response.statusCode, response.json<{ code: string }>().code], [403, 'no_access_grant']);
    }
  });

  test('every category of the configuration may be a scope', async (t) => {
    const { as } = await startApp(t, fixture);
    for (const allowedCategory of CATEGORIES)
      assert.equal((await as('superadmin', 'POST', '/api-keys', { ...upload, allowedCategory })).statusCode, 201);
  });
});

/** The routes alone, with callers who sign in by their name; a replica for each call. */
async function startApp(t: { after: (close: () => Promise<void>) => void }, fixture: Fixture) {
  const keys = fixture.open();
  const app: FastifyInstance = createHttpServer({ basePath: '', trustedProxies: ['loopback'], logLevel: 'silent' });
  registerActor(app, {
    internalSecret: 'secret',
    apiKey: keys.authenticate,
    countUnknownKey: () => Promise.resolve(),
    session: ({ cookie = '' }) => {
      const caller = CALLERS[decodeURIComponent(cookie) as CallerName];
      return Promise.resolve(caller.kind === 'user' ? caller : undefined);
    },
  });
  await app.register(keys.routes);
  t.after(() => app.close());

  const as = (caller: CallerName, method: 'POST' | 'GET' | 'DELETE', url: string, body?: unknown) =>
    app.inject({
      method,
      url,
      headers:
        CALLERS[caller].kind === 'user'
          ? { cookie: encodeURIComponent(caller) }
          : caller === 'internal'
            ? { 'x-secret-key': 'secret' }
            : {},
      ...(body !== undefined && { body: body as object }),
    });
  const withKey = (key: string) => app.inject({ method: 'GET', url: '/api-keys', headers: { 'x-api-key': key } });
  return { app, keys, as, withKey };
}
