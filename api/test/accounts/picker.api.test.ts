import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DIALECTS } from '../support/test-database.ts';
import { createAcme, createAccountsApp, type AccountsApp, type Browser } from './accounts-app.ts';

for (const dialect of DIALECTS) {
  describe(`finding accounts and managing one's own organisation, on ${dialect}`, () => {
    let it: AccountsApp;
    let admin: Browser;
    let people: Awaited<ReturnType<typeof createAcme>>;
    before(async () => {
      it = await createAccountsApp(dialect);
      admin = await it.admin();
      people = await createAcme(admin);
    });
    after(() => it.close());

    const bossOf = async (account: object) => {
      const boss = await it.signIn('boss@acme.example');
      assert.equal((await boss.send('PUT', '/session/account', account)).status, 200);
      return boss;
    };

    test('results include the departments of organisations and the addresses of users', async () => {
      assert.deepEqual((await admin.get('/accounts?q=acme')).body['results'], [
        {
          type: 'organization',
          id: 'acme',
          name: 'Acme',
          departments: [
            { id: 'geo', name: 'Geography' },
            { id: 'sea', name: 'Sea' },
          ],
        },
        ...(['boss', 'diver', 'mate'] as const).map((name) => ({
          type: 'user',
          id: people[name],
          name,
          email: `${name}@acme.example`,
          emailVerified: true,
        })),
      ]);
      assert.deepEqual((await admin.get('/accounts?q=nobody+at+all')).body['results'], []);
      assert.equal((await (await it.signIn('boss@acme.example')).get('/accounts?q=acme')).body['code'], 'forbidden');
    });

    test('admins see, invite, change and remove members while they act for the organisation', async () => {
      const boss = await bossOf({ type: 'organization', id: 'acme' });
      assert.equal((await boss.get('/organizations/acme')).body['name'], 'Acme');
      const { status, body } = await boss.send('POST', '/organizations/acme/invitations', {
        email: 'new@acme.example',
        role: 'member',
      });
      assert.equal(status, 201);
      assert.equal((await boss.get('/organizations/acme/invitations')).body['count'], 1);
      assert.equal((await boss.send('DELETE', `/organizations/acme/invitations/${String(body['id'])}`)).status, 204);
      assert.equal(
        (
          await boss.send('PUT', `/organizations/acme/members/${people.mate}`, {
            role: 'member',
            departments: ['geo'],
          })
        ).status,
        200,
      );
      assert.equal((await boss.send('DELETE', `/organizations/acme/members/${people.diver}`)).status, 204);
    });

    test('admins cannot add users by ID, and have no rights in other organisations', async () => {
      const boss = await bossOf({ type: 'organization', id: 'acme' });
      await admin.send('POST', '/organizations', { id: 'other', name: 'Other' });
      assert.equal(
        (await boss.send('PUT', `/organizations/acme/members/${people.diver}`, { role: 'member' })).body['code'],
        'member_not_found',
      );
      for (const [method, path, body] of [
        ['POST', '/organizations/other/invitations', { email: 'a@b.example', role: 'admin' }],
        ['PUT', `/organizations/other/members/${people.boss}`, { role: 'admin' }],
        ['DELETE', `/organizations/other/members/${people.boss}`, undefined],
        ['PATCH', '/organizations/acme', { name: 'Mine' }],
        ['DELETE', '/organizations/acme', undefined],
      ] as const) {
        assert.equal((await boss.send(method, path, body)).body['code'], 'forbidden', `${method} ${path}`);
      }
      assert.equal((await boss.get('/organizations/other')).body['code'], 'forbidden');
    });

    test('an admin who acts alone has no rights in the organisation', async () => {
      const boss = await bossOf({ type: 'user', id: people.boss });
      assert.equal((await boss.get('/organizations/acme')).body['code'], 'forbidden');
    });
  });
}
