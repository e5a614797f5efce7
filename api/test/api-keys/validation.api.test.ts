import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACME } from '../access/callers.ts';
import { READ_KEY, startApp, UPLOAD_KEY } from './api-keys-app.ts';
import { CATEGORIES, describeOnBothDatabases } from './api-keys-fixture.ts';

describeOnBothDatabases('validation of the API key routes', (fixture) => {
  const badBodies: Record<string, [body: unknown, path: string]> = {
    'no type': [{ name: 'CI' }, ''],
    'an unknown type': [{ ...UPLOAD_KEY, type: 'admin' }, '/type'],
    'no name': [{ type: 'upload' }, ''],
    'an empty name': [{ ...UPLOAD_KEY, name: '' }, '/name'],
    'a blank name': [{ ...UPLOAD_KEY, name: ' \u00a0' }, '/name'],
    'a name of 201 characters': [{ ...UPLOAD_KEY, name: 'n'.repeat(201) }, '/name'],
    'a NUL in the name': [{ ...UPLOAD_KEY, name: 'C\0I' }, '/name'],
    'a number as name': [{ ...UPLOAD_KEY, name: 5 }, '/name'],
    'an unknown field': [{ ...UPLOAD_KEY, admin: true }, '/admin'],
    'a hash': [{ ...UPLOAD_KEY, hash: 'x' }, '/hash'],
    'an empty id': [{ ...UPLOAD_KEY, allowedName: '' }, '/allowedName'],
    'an empty prefix': [{ ...UPLOAD_KEY, allowedNamePrefix: '' }, '/allowedNamePrefix'],
    'a blank prefix': [{ ...UPLOAD_KEY, allowedNamePrefix: '  ' }, '/allowedNamePrefix'],
    'an empty package name': [{ ...UPLOAD_KEY, allowedPackageName: '' }, '/allowedPackageName'],
    'an empty category': [{ ...UPLOAD_KEY, allowedCategory: '' }, '/allowedCategory'],
    'an unknown category': [{ ...UPLOAD_KEY, allowedCategory: 'tileset' }, '/allowedCategory'],
    'null as a scope': [{ ...UPLOAD_KEY, allowedName: null }, '/allowedName'],
    'a scope that is too long': [{ ...UPLOAD_KEY, allowedName: 'x'.repeat(257) }, '/allowedName'],
    'a scope on a read key': [{ ...READ_KEY, allowedCategory: 'processing' }, '/allowedCategory'],
    'a read key without owner': [{ type: 'read', name: 'mirror' }, '/owner'],
    'an owner on an upload key': [{ ...UPLOAD_KEY, owner: ACME }, '/owner'],
    'an owner of an unknown type': [{ ...READ_KEY, owner: { type: 'team', id: 'acme' } }, '/owner/type'],
    'an owner without id': [{ ...READ_KEY, owner: { type: 'user', id: '' } }, '/owner/id'],
    'an owner with a NUL': [{ ...READ_KEY, owner: { type: 'user', id: 'a\0' } }, '/owner/id'],
    'an owner with an unknown field': [{ ...READ_KEY, owner: { ...ACME, role: 'admin' } }, '/owner/role'],
    'an expiry that is not a date': [{ ...UPLOAD_KEY, expiresAt: 'tomorrow' }, '/expiresAt'],
    'an expiry without a time zone': [{ ...UPLOAD_KEY, expiresAt: '2031-01-01T00:00:00' }, '/expiresAt'],
    'an expiry on a day that does not exist': [{ ...UPLOAD_KEY, expiresAt: '2031-02-30' }, '/expiresAt'],
    'an expiry as a number': [{ ...UPLOAD_KEY, expiresAt: 1900000000000 }, '/expiresAt'],
    'a leap second as expiry': [{ ...UPLOAD_KEY, expiresAt: '2016-12-31T23:59:60Z' }, '/expiresAt'],
  };
  test('an invalid field is a 400 that names it, before any 403, and stores nothing', async (t) => {
    const { as } = await startApp(t, fixture);
    for (const [name, [body, path]] of Object.entries(badBodies)) {
      assert.equal((await as('anonymous', 'POST', '/api-keys', body)).statusCode, 401, name);
      for (const caller of ['superadmin', 'member of Acme'] as const) {
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

  for (const query of ['type=admin', 'type=upload&type=read', 'q=x']) {
    test(`the query ${query} is refused with 400`, async (t) => {
      const { as } = await startApp(t, fixture);
      const response = await as('superadmin', 'GET', `/api-keys?${query}`);
      assert.deepEqual([response.statusCode, response.json<{ code: string }>().code], [400, 'request_invalid']);
    });
  }

  test('every configured category is valid as a scope', async (t) => {
    const { as } = await startApp(t, fixture);
    for (const allowedCategory of CATEGORIES)
      assert.equal((await as('superadmin', 'POST', '/api-keys', { ...UPLOAD_KEY, allowedCategory })).statusCode, 201);
  });
});
