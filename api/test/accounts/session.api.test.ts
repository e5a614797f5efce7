import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
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

const ACME = { type: 'organization', id: 'acme' };

for (const dialect of DIALECTS) {
  describe(`the session, on ${dialect}`, () => {
    let it: AccountsApp;
    let admin: Browser;
    let ids: { boss: string; mate: string; diver: string };
    before(async () => {
      it = await createAccountsApp(dialect);
      admin = await it.admin();
      ids = await createAcme(admin);
      await createUser(admin, 'loner@example.org');
    });
    after(() => it.close());

    const choose = (browser: Browser, account: object) => browser.send('PUT', '/session/account', account);
    const choicesOf = async (browser: Browser) =>
      ((await browser.get('/session')).body['accounts'] as { id: string; department?: string; role: string }[]).map(
        ({ id, department, role }) => [id, department, role],
      );

    test('describes anonymous callers and internal services', async () => {
      const stranger = createBrowser(it.app);
      const { body, headers } = await stranger.get('/session');
      assert.deepEqual(body, { kind: 'anonymous', isAdmin: false, hasGrant: false });
      assert.deepEqual(
        [headers['cache-control'], headers.vary],
        ['private, no-cache', 'Cookie, Authorization, X-Api-Key, X-Secret-Key, X-Account'],
      );
      assert.deepEqual((await stranger.get('/session', { 'x-secret-key': INTERNAL_SECRET })).body, {
        kind: 'internal',
        isAdmin: false,
        hasGrant: false,
      });
      assert.deepEqual(
        (await stranger.get('/session', { 'x-secret-key': INTERNAL_SECRET, 'x-account': JSON.stringify(ACME) })).body,
        { kind: 'internal', account: ACME, isAdmin: false, hasGrant: false },
      );
    });

    test('starts with the user acting alone, as admin of their own account', async () => {
      const mate = await it.signIn('mate@acme.example');
      assert.deepEqual((await mate.get('/session')).body, {
        kind: 'user',
        user: { id: ids.mate, name: 'mate', email: 'mate@acme.example' },
        account: { type: 'user', id: ids.mate, name: 'mate' },
        accountRole: 'admin',
        accounts: [
          { type: 'user', id: ids.mate, name: 'mate', role: 'admin' },
          { ...ACME, name: 'Acme', role: 'member' },
        ],
        isAdmin: false,
        hasGrant: false,
      });
    });

    test('offers the organisation to admins and members without a department, and departments to theirs', async () => {
      const offers = async (email: string) => (await choicesOf(await it.signIn(email))).slice(1);
      assert.deepEqual(await offers('boss@acme.example'), [
        ['acme', undefined, 'admin'],
        ['acme', 'geo', 'admin'],
        ['acme', 'sea', 'admin'],
      ]);
      assert.deepEqual(await offers('mate@acme.example'), [['acme', undefined, 'member']]);
      assert.deepEqual(await offers('diver@acme.example'), [['acme', 'sea', 'member']]);
      assert.deepEqual(await offers('loner@example.org'), []);
    });

    test('acts for the chosen account in all later requests', async () => {
      const diver = await it.signIn('diver@acme.example');
      const sea = { ...ACME, name: 'Acme', department: 'sea' };
      const { status, body } = await choose(diver, { ...ACME, department: 'sea' });
      assert.deepEqual([status, body['account'], body['accountRole']], [200, sea, 'member']);
      assert.deepEqual((await diver.get('/session')).body, body);
      assert.deepEqual((await choose(diver, { type: 'user', id: ids.diver })).body['accountRole'], 'admin');
      assert.deepEqual((await diver.get('/session')).body['account'], { type: 'user', id: ids.diver, name: 'diver' });
    });

    test('refuses accounts that the user may not act for, existing or not', async () => {
      const refusals: [string, object[]][] = [
        ['diver@acme.example', [ACME, { ...ACME, department: 'geo' }, { type: 'user', id: ids.mate }]],
        ['mate@acme.example', [{ ...ACME, department: 'sea' }]],
        [
          'boss@acme.example',
          [
            { ...ACME, department: 'nowhere' },
            { type: 'organization', id: 'nobody' },
          ],
        ],
        ['loner@example.org', [ACME]],
      ];
      for (const [email, accounts] of refusals) {
        const browser = await it.signIn(email);
        for (const account of accounts) {
          const { status, body } = await choose(browser, account);
          assert.deepEqual(
            [status, body['code']],
            [403, 'account_not_allowed'],
            `${email} ${JSON.stringify(account)}`,
          );
        }
      }
      assert.equal((await choose(createBrowser(it.app), ACME)).body['code'], 'unauthenticated');
      assert.equal((await choose(admin, { ...ACME, colour: 'blue' })).body['code'], 'request_invalid');
    });

    test('falls back to the user alone while they may not act for the account', async () => {
      const [mate, diver] = [await it.signIn('mate@acme.example'), await it.signIn('diver@acme.example')];
      await choose(mate, ACME);
      await choose(diver, { ...ACME, department: 'sea' });
      const member = (id: string, body: object) => admin.send('PUT', `/organizations/acme/members/${id}`, body);
      const accountOf = async (browser: Browser) => {
        const { type, department } = (await browser.get('/session')).body['account'] as {
          type: string;
          department?: string;
        };
        return [type, department];
      };

      await member(ids.mate, { role: 'member', departments: ['geo'] });
      await member(ids.diver, { role: 'member' });
      assert.deepEqual(
        [await accountOf(mate), await accountOf(diver)],
        [
          ['user', undefined],
          ['user', undefined],
        ],
      );
      await member(ids.mate, { role: 'admin', departments: ['geo'] });
      await member(ids.diver, { role: 'admin' });
      assert.deepEqual(
        [await accountOf(mate), await accountOf(diver)],
        [
          ['organization', undefined],
          ['organization', 'sea'],
        ],
      );
      await admin.send('DELETE', `/organizations/acme/members/${ids.mate}`);
      assert.deepEqual(await accountOf(mate), ['user', undefined]);
      await member(ids.mate, { role: 'member' });
      await member(ids.diver, { role: 'member', departments: ['sea'] });
      assert.deepEqual(
        [await accountOf(mate), await accountOf(diver)],
        [
          ['organization', undefined],
          ['organization', 'sea'],
        ],
      );
    });

    test('does not widen to the whole organisation when its department is deleted', async () => {
      await admin.send('PUT', '/organizations/acme/departments/air', { name: 'Air' });
      const boss = await it.signIn('boss@acme.example');
      await choose(boss, { ...ACME, department: 'air' });
      await admin.send('DELETE', '/organizations/acme/departments/air');
      assert.deepEqual((await boss.get('/session')).body['account'], { type: 'user', id: ids.boss, name: 'boss' });
    });

    test('has a grant if one covers the account: that of the organisation covers every department', async () => {
      const [boss, diver] = [await it.signIn('boss@acme.example'), await it.signIn('diver@acme.example')];
      await choose(diver, { ...ACME, department: 'sea' });
      const hasGrant = async (browser: Browser) => (await browser.get('/session')).body['hasGrant'];
      const grant = async (account: object) =>
        (await admin.send('POST', '/access-grants', { account })).body['_id'] as string;

      const seaGrant = await grant({ ...ACME, department: 'sea' });
      assert.deepEqual(
        [
          await hasGrant(diver),
          (await choose(boss, ACME)).body['hasGrant'],
          (await choose(boss, { ...ACME, department: 'geo' })).body['hasGrant'],
        ],
        [true, false, false],
      );
      assert.deepEqual((await choose(boss, { ...ACME, department: 'sea' })).body['hasGrant'], true);
      await admin.send('DELETE', `/access-grants/${seaGrant}`);
      assert.equal(await hasGrant(diver), false);
      await grant(ACME);
      assert.deepEqual([await hasGrant(diver), await hasGrant(boss)], [true, true]);
      assert.equal((await choose(boss, { type: 'user', id: ids.boss })).body['hasGrant'], false);
      await grant({ type: 'user', id: ids.boss });
      assert.equal(await hasGrant(boss), true);
    });

    test('switching accounts is audited, and refused from another origin', async () => {
      const mate = await it.signIn('mate@acme.example');
      await it.database.db.deleteFrom('audit_events').execute();
      assert.equal(
        (await mate.send('PUT', '/session/account', ACME, { origin: 'https://evil.example' })).body['code'],
        'cross_origin',
      );
      await choose(mate, ACME);
      const events = await auditOf(it.database);
      assert.deepEqual(
        events.map(({ action, actor_id, details }) => [action, actor_id, details]),
        [['session.choose-account', ids.mate, JSON.stringify({ account: { ...ACME, name: 'Acme' } })]],
      );
    });
  });
}
