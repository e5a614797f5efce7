import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACME } from '../access/callers.ts';
import { READ_KEY, SCOPES, startApp, UPLOAD_KEY } from './api-keys-app.ts';
import { describeOnBothDatabases, noonPlus } from './api-keys-fixture.ts';

describeOnBothDatabases('rotating an API key', (fixture) => {
  test('after a rotation both raw keys are valid for the overlap, then only the new one', async (t) => {
    const { as, withKey } = await startApp(t, fixture);
    const { _id, key, shortId } = (await as('superadmin', 'POST', '/api-keys', { ...UPLOAD_KEY, ...SCOPES })).json<{
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
    assert.equal(rotated['shortId'], rotated['key']?.slice(4, 12));
    const statuses = async () =>
      Promise.all([key, rotated['key'] ?? ''].map(async (raw) => (await withKey(raw)).statusCode));
    assert.deepEqual(await statuses(), [403, 403]);
    fixture.now = noonPlus(3_660_000);
    assert.deepEqual(await statuses(), [401, 403]);
  });

  test('only the last two raw keys are valid, and without overlap only the last one', async (t) => {
    const { as, withKey } = await startApp(t, fixture);
    const created = (await as('superadmin', 'POST', '/api-keys', UPLOAD_KEY)).json<{ _id: string; key: string }>();
    const rotate = async (body?: object) =>
      (await as('superadmin', 'POST', `/api-keys/${created._id}/rotate`, body)).json<{ key: string }>().key;
    const [second, third] = [await rotate(), await rotate()];
    const statuses = async (keys: string[]) => Promise.all(keys.map(async (raw) => (await withKey(raw)).statusCode));
    assert.deepEqual(await statuses([created.key, second, third]), [401, 403, 403]);
    const fourth = await rotate({ overlapSeconds: 0 });
    assert.deepEqual(await statuses([second, third, fourth]), [401, 401, 403]);
  });

  test('rotating an expired key requires a new expiry, which may be null', async (t) => {
    const { as, withKey } = await startApp(t, fixture);
    const { _id } = (await as('superadmin', 'POST', '/api-keys', { ...UPLOAD_KEY, expiresAt: '2020-01-01' })).json<{
      _id: string;
    }>();
    const rotate = async (body: object) => as('superadmin', 'POST', `/api-keys/${_id}/rotate`, body);
    assert.equal((await rotate({})).json<{ code: string }>().code, 'api_key_fields_invalid');
    for (const expiresAt of ['2016-12-31T23:59:60Z', 'tomorrow', 7])
      assert.equal((await rotate({ expiresAt })).statusCode, 400);
    const unlimited = (await rotate({ expiresAt: null })).json<{ key: string; expiresAt?: string }>();
    assert.equal(unlimited.expiresAt, undefined);
    assert.equal((await withKey(unlimited.key)).statusCode, 403);
    for (const overlapSeconds of [-1, 1.5, 31 * 86_400, 'day'])
      assert.equal((await rotate({ overlapSeconds })).statusCode, 400);
  });

  test('those who may revoke a key may rotate it; to others it does not exist', async (t) => {
    const { as } = await startApp(t, fixture);
    fixture.grants = [ACME];
    const { _id } = (await as('superadmin', 'POST', '/api-keys', READ_KEY)).json<{ _id: string }>();
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
});
