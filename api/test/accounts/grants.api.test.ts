import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Account } from '../../src/access/index.ts';
import { accountMatches } from '../../src/access/index.ts';
import { DIALECTS } from '../support/test-database.ts';
import {
  auditOf,
  createAcme,
  createAccountsApp,
  createBrowser,
  createUser,
  INTERNAL_SECRET,
  type AccountsApp,
  type Browser,
} from './accounts-app.ts';

const INTERNAL = { 'x-secret-key': INTERNAL_SECRET };
const organization = (id: string, department?: string): Account => ({
  type: 'organization',
  id,
  ...(department !== undefined && { department }),
});

for (const dialect of DIALECTS) {
  describe(`access grants, on ${dialect}`, () => {
    let it: AccountsApp;
    let admin: Browser;
    before(async () => {
      it = await createAccountsApp(dialect);
      admin = await it.admin();
      await createAcme(admin);
    });
    after(() => it.close());

    const grant = (account: object, by = admin, headers = {}) =>
      by.send('POST', '/access-grants', { account }, headers);

    test('a superadmin creates a grant, which takes the registered name of the account', async () => {
      const { status, body } = await grant({ ...organization('acme'), name: 'Whatever' });
      assert.equal(status, 201);
      const { user } = (await admin.get('/session')).body as { user: { id: string } };
      assert.deepEqual(
        { ...body, _id: '', grantedAt: '' },
        {
          _id: '',
          account: { ...organization('acme'), name: 'Acme' },
          grantedBy: { userId: user.id, userName: 'Administrator' },
          grantedAt: '',
        },
      );
      assert.match(String(body['grantedAt']), /^\d{4}-.*Z$/);
    });

    test('an internal service creates a grant, also for an unknown account', async () => {
      const { status, body } = await grant(
        { ...organization('elsewhere', 'x'), name: 'Else Where' },
        createBrowser(it.app),
        INTERNAL,
      );
      assert.deepEqual(
        [status, body['account'], body['grantedBy']],
        [201, { ...organization('elsewhere', 'x'), name: 'Else Where' }, { internal: true }],
      );
    });

    test('an account has at most one grant, and each department its own', async () => {
      await grant(organization('solo'));
      const again = await grant({ ...organization('solo'), name: 'Solo' });
      assert.deepEqual([again.status, again.body['code']], [409, 'grant_exists']);
      assert.equal((await grant(organization('solo', 'x'))).status, 201);
      assert.equal((await grant(organization('solo', 'x'))).body['code'], 'grant_exists');
    });

    test('two concurrent requests create one grant', async () => {
      const answers = await Promise.all([grant(organization('race')), grant(organization('race'))]);
      assert.deepEqual(answers.map(({ status }) => status).toSorted(), [201, 409]);
    });

    test('invalid accounts are refused', async () => {
      for (const account of [
        { type: 'user', id: 'x\0' },
        { type: 'user', id: 'x', name: '\0' },
        { type: 'group', id: 'x' },
        { type: 'user' },
        { type: 'user', id: '' },
        { type: 'user', id: 'x', colour: 'blue' },
        {},
      ])
        assert.equal((await grant(account)).body['code'], 'request_invalid');
    });

    test('hasGrant and accountMatches agree', async () => {
      const entries = [organization('m1'), organization('m2', 'a'), { type: 'user' as const, id: 'm1' }];
      for (const entry of entries) assert.equal((await grant(entry)).status, 201);
      const accounts = ['m1', 'm2', 'm3'].flatMap((id) => [
        organization(id),
        organization(id, 'a'),
        organization(id, 'b'),
        { type: 'user' as const, id },
      ]);
      for (const account of accounts)
        assert.equal(
          await it.accounts.hasGrant(account),
          entries.some((entry) => accountMatches(entry, account)),
          JSON.stringify(account),
        );
      await it.database.transaction(async (tx) =>
        assert.equal(await it.accounts.hasGrant(organization('m1', 'b'), tx), true),
      );
    });

    test('a user finds the grant of the account that they act for, the wider one first', async () => {
      const diver = await it.signIn('diver@acme.example');
      assert.deepEqual(
        [(await diver.get('/access-grants/me')).status, (await diver.get('/access-grants/me')).body['code']],
        [404, 'access_grant_not_found'],
      );
      await diver.send('PUT', '/session/account', organization('acme', 'sea'));
      await grant(organization('acme', 'sea'));
      assert.deepEqual((await diver.get('/access-grants/me')).body['account'], {
        ...organization('acme'),
        name: 'Acme',
      });
      assert.equal((await createBrowser(it.app).get('/access-grants/me')).status, 401);
      assert.equal((await createBrowser(it.app).get('/access-grants/me', INTERNAL)).status, 403);
    });

    test('the list is newest first and can be searched by account', async () => {
      for (const id of ['list-1', 'list-2']) await grant({ ...organization(id), name: 'Listed Line' });
      const ids = async (query: string) => {
        const { body } = await admin.get(`/access-grants?${query}`);
        return [body['count'], (body['results'] as { account: { id: string } }[]).map(({ account }) => account.id)];
      };
      assert.deepEqual(await ids('q=LISTED'), [2, ['list-2', 'list-1']]);
      assert.deepEqual(await ids('q=line+list-1'), [1, ['list-1']]);
      assert.deepEqual(await ids('q=line&skip=1&size=1'), [2, ['list-1']]);
    });

    test('a revoked grant stops counting at once', async () => {
      const id = await createUser(admin, 'brief@example.org');
      const { body } = await grant({ type: 'user', id });
      const browser = await it.signIn('brief@example.org');
      assert.equal((await browser.get('/session')).body['hasGrant'], true);
      assert.equal((await admin.send('DELETE', `/access-grants/${String(body['_id'])}`)).status, 204);
      assert.equal((await browser.get('/session')).body['hasGrant'], false);
      assert.equal(
        (await admin.send('DELETE', `/access-grants/${String(body['_id'])}`)).body['code'],
        'access_grant_not_found',
      );
    });

    test('creation and revocation are audited', async () => {
      await it.database.db.deleteFrom('audit_events').execute();
      const { body } = await grant(organization('audited'));
      await grant(organization('audited'));
      await admin.send('DELETE', `/access-grants/${String(body['_id'])}`);
      assert.deepEqual(
        (await auditOf(it.database)).map(({ action, target_id, details }) => [
          action,
          target_id,
          JSON.parse(details ?? 'null') as unknown,
        ]),
        [
          ['access-grant.create', body['_id'], { account: organization('audited') }],
          ['access-grant.delete', body['_id'], { account: organization('audited') }],
        ],
      );
    });
  });
}
