import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Headers } from '../support/callers.ts';
import { readProblem } from '../support/problems.ts';
import { query } from '../support/stored-state.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';
import { artefactPath, listArtefacts, patchArtefact, readDocument, uploadArtefact } from './documents.ts';
import { makeMirror } from './mirrors.ts';

interface Account {
  type: 'user' | 'organization';
  id: string;
  department?: string;
}

const SHARED = 'shared';

for (const dialect of DIALECTS) {
  describe(`deleting an account on ${dialect}`, () => {
    let server: TestServer;
    let superadmin: Headers;
    before(async () => {
      server = await startTestServer({ dialect, signIn: 'local' });
      superadmin = await server.superadmin();
      await uploadArtefact(server, SHARED, { file: await npmTarball() });
    });
    after(() => server.close());

    const send = async (method: string, path: string, body?: unknown) => {
      const response = await server.api(method, path, { headers: superadmin, body });
      const text = await response.text();
      assert.ok(response.ok, text);
      return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    };
    const share = async (...accounts: Account[]) => patchArtefact(server, SHARED, { privateAccess: accounts });
    const accessOf = async (id: string) => (await readDocument(server, id)).privateAccess;
    const download = (key: string) =>
      server.api('GET', artefactPath(SHARED, '/tarball'), { headers: { 'x-api-key': key } });
    const rowsOf = async ({ id }: Account) => ({
      keys: (await query(server, `select id from api_keys where owner_id = '${id}'`)).length,
      grants: (await query(server, `select id from access_grants where account_id = '${id}'`)).length,
      entries: (await query(server, `select artefact_id from artefact_access where account_id = '${id}'`)).length,
    });

    test('deletes the keys, grants and shares of an organisation and its departments', async () => {
      const acme: Account = { type: 'organization', id: 'acme' };
      const sea = { ...acme, department: 'sea' };
      const globex: Account = { type: 'organization', id: 'globex' };
      await server.member('acme', 'admin');
      await send('PUT', '/organizations/acme/departments/sea', { name: 'Sea' });
      const keys = [await server.readKey(acme), await server.readKey(sea)];
      const other = await server.readKey(globex);
      const before = await share(acme, sea, globex);
      for (const key of [...keys, other]) assert.equal((await download(key)).status, 200);
      assert.deepEqual(await rowsOf(acme), { keys: 2, grants: 2, entries: 2 });

      await send('DELETE', '/organizations/acme');
      for (const key of keys) await readProblem(await download(key), 401, 'api_key_invalid');
      assert.equal((await download(other)).status, 200);
      assert.deepEqual(await rowsOf(acme), { keys: 0, grants: 0, entries: 0 });
      const after = await readDocument(server, SHARED);
      assert.deepEqual([after.privateAccess, after.dataUpdatedAt], [[globex], before.dataUpdatedAt]);
      assert.ok(after.updatedAt > before.updatedAt);
    });

    test('leaves nothing to a new organisation with the same id', async () => {
      const umbrella: Account = { type: 'organization', id: 'umbrella' };
      const old = await server.member('umbrella', 'admin');
      await server.readKey(umbrella);
      await share(umbrella);
      const sees = async (headers: Headers) => (await listArtefacts(server, '', headers)).count;
      assert.equal(await sees(old), 1);

      await send('DELETE', '/organizations/umbrella');
      await send('POST', '/organizations', { id: 'umbrella', name: 'Another one' });
      await send('PUT', '/session/account', umbrella);
      const session = (await (await server.api('GET', '/session', { headers: old })).json()) as {
        account: Account;
        hasGrant: boolean;
      };
      assert.deepEqual([session.account.type, session.hasGrant], ['user', false]);
      assert.equal(await sees(old), 0);
      await readProblem(
        await server.api('GET', '/access-grants/me', { headers: superadmin }),
        404,
        'access_grant_not_found',
      );
      assert.deepEqual(await rowsOf(umbrella), { keys: 0, grants: 0, entries: 0 });
      const forAccount = { ...server.internal, 'x-account': JSON.stringify(umbrella) };
      await readProblem(await server.api('GET', artefactPath(SHARED), { headers: forAccount }), 403, 'not_shared');
    });

    test('keeps what belongs to the organisation and other departments if it is a department', async () => {
      const initech: Account = { type: 'organization', id: 'initech' };
      const [sea, geo] = [
        { ...initech, department: 'sea' },
        { ...initech, department: 'geo' },
      ];
      await server.member('initech', 'admin');
      for (const department of ['sea', 'geo'])
        await send('PUT', `/organizations/initech/departments/${department}`, { name: department });
      const [seaKey, geoKey, key] = [
        await server.readKey(sea),
        await server.readKey(geo),
        await server.readKey(initech),
      ];
      await share(sea, geo, initech);

      await send('DELETE', '/organizations/initech/departments/sea');
      await readProblem(await download(seaKey), 401, 'api_key_invalid');
      for (const kept of [geoKey, key]) assert.equal((await download(kept)).status, 200);
      assert.deepEqual(await accessOf(SHARED), [initech, geo]);
      assert.deepEqual(await rowsOf(initech), { keys: 2, grants: 2, entries: 2 });
    });

    test('deletes the keys, grants and shares of a user, also those of mirrors and deprecated artefacts', async () => {
      const user = {
        type: 'user',
        id: (await send('POST', '/users', { email: 'uma@example.org', name: 'Uma', password: 'second mate 2' }))[
          'id'
        ] as string,
      } as const;
      const namesake: Account = { type: 'organization', id: user.id };
      const [key, keyOfNamesake] = [await server.readKey(user), await server.readKey(namesake)];
      await share(user, namesake);
      for (const id of ['old', 'mirror']) {
        await uploadArtefact(server, id, { file: await npmTarball() });
        await patchArtefact(server, id, { public: true, deprecated: true, privateAccess: [user] });
      }
      await makeMirror(server, 'mirror');

      await send('DELETE', `/users/${user.id}`);
      await readProblem(await download(key), 401, 'api_key_invalid');
      assert.equal((await download(keyOfNamesake)).status, 200);
      assert.deepEqual(
        [await accessOf(SHARED), await accessOf('old'), await accessOf('mirror')],
        [[namesake], [], []],
      );
      assert.deepEqual(await rowsOf(user), { keys: 1, grants: 1, entries: 1 });
    });

    test('changes no artefact if nothing was shared with it', async () => {
      await send('POST', '/organizations', { id: 'quiet', name: 'Quiet' });
      const before = await readDocument(server, SHARED);
      await send('DELETE', '/organizations/quiet');
      assert.deepEqual(await readDocument(server, SHARED), before);
    });
  });
}
