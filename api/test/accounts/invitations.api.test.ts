import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { createMailer } from '../../src/mail/index.ts';
import { startMailServer, type TestMailServer } from '../support/mail-server.ts';
import { DIALECTS } from '../support/test-database.ts';
import {
  auditOf,
  createAccountsApp,
  createAcme,
  createBrowser,
  createUser,
  PASSWORD,
  type AccountsApp,
  type Browser,
} from './accounts-app.ts';

interface Invited {
  id: string;
  mailed: boolean;
  url?: string;
  code?: string;
}

const NEWCOMER = { name: 'New', password: PASSWORD };
const TOKEN = /http:\/\/localhost\/invitation#token=([\w-]{43})$/m;
const tokenIn = (text = '') => TOKEN.exec(text)?.[1] ?? assert.fail(text);

/** Actions on the invitations of acme. */
function createInvitations(admin: Browser, mail?: TestMailServer) {
  return {
    invite: async (email: string, more: object = {}) =>
      (await admin.send('POST', '/organizations/acme/invitations', { email, role: 'member', ...more }))
        .body as unknown as Invited,
    pending: async () => (await admin.get('/organizations/acme/invitations')).body['results'] as { email: string }[],
    mailedToken: () => tokenIn(mail?.mails.at(-1)?.text),
    isProved: async (email: string) =>
      ((await admin.get(`/users?q=${email}`)).body['results'] as { emailVerified: boolean }[])[0]?.emailVerified,
  };
}

for (const dialect of DIALECTS) {
  describe(`invitations, on ${dialect}`, () => {
    let it: AccountsApp;
    let mail: TestMailServer;
    let admin: Browser;
    let { invite, pending, mailedToken, isProved } = {} as ReturnType<typeof createInvitations>;
    before(async () => {
      mail = await startMailServer();
      it = await createAccountsApp(dialect, { mailer: createMailer({ url: mail.url, from: 'berth@example.org' }) });
      admin = await it.admin();
      await createAcme(admin);
      ({ invite, pending, mailedToken, isProved } = createInvitations(admin, mail));
    });
    after(async () => {
      await it.close();
      await mail.stop();
    });
    beforeEach(() => {
      mail.full = false;
    });

    const stranger = () => createBrowser(it.app);
    const find = (token: string) => stranger().send('POST', '/invitations/find', { token });
    const accept = (token: string, more: object = NEWCOMER, browser = stranger()) =>
      browser.send('POST', '/invitations/accept', { token, ...more });

    test('create a new user and member from the link, once', async () => {
      const { mailed } = await invite('New@acme.example', { role: 'admin', department: 'sea' });
      assert.deepEqual([mailed, mail.mails.at(-1)?.to], [true, ['new@acme.example']]);
      const token = mailedToken();
      assert.partialDeepStrictEqual(await pending(), [{ email: 'new@acme.example', mailed: true }]);
      assert.partialDeepStrictEqual((await find(token)).body, {
        email: 'new@acme.example',
        role: 'admin',
        department: 'sea',
        organization: { id: 'acme', name: 'Acme' },
        hasUser: false,
      });
      const incomplete = await accept(token, { name: 'New' });
      assert.deepEqual([incomplete.status, incomplete.body['code']], [400, 'invitation_fields_invalid']);
      assert.equal((await accept(token)).status, 200);
      const session = (await (await it.signIn('new@acme.example')).get('/session')).body;
      assert.deepEqual(
        (session['accounts'] as { id: string; department?: string; role: string }[])
          .slice(1)
          .map(({ id: account, department, role }) => [account, department, role]),
        [
          ['acme', undefined, 'admin'],
          ['acme', 'geo', 'admin'],
          ['acme', 'sea', 'admin'],
        ],
      );
      assert.deepEqual([(await find(token)).status, (await accept(token)).status], [404, 404]);
      assert.deepEqual(await pending(), []);
    });

    test('add an existing user only when signed in as that user', async () => {
      await createUser(admin, 'known@example.org');
      await invite('known@example.org');
      const token = mailedToken();
      assert.equal((await find(token)).body['hasUser'], true);
      assert.equal((await accept(token)).body['code'], 'unauthenticated');
      const mate = await it.signIn('mate@acme.example');
      assert.equal((await accept(token, {}, mate)).body['code'], 'invitation_for_another');
      const known = await it.signIn('known@example.org');
      assert.equal((await accept(token, {}, known)).status, 200);
      assert.equal(((await known.get('/session')).body['accounts'] as object[]).length, 2);
    });

    test('can be cancelled, are replaced by a new one, and expire after a week', async () => {
      await invite('late@example.org');
      const first = mailedToken();
      const { id } = await invite('late@example.org');
      const second = mailedToken();
      assert.deepEqual(
        (await pending()).map(({ email }) => email),
        ['late@example.org'],
      );
      assert.equal((await find(first)).status, 404);
      await it.database.db
        .updateTable('invitation')
        .set({ expiresAt: new Date(Date.now() - 1000) })
        .where('id', '=', id)
        .execute();
      assert.equal((await accept(second)).status, 404);
      const third = await invite('late@example.org');
      assert.equal((await admin.send('DELETE', `/organizations/acme/invitations/${third.id}`)).status, 204);
      assert.equal((await find(mailedToken())).status, 404);
      assert.equal(
        (await admin.send('DELETE', `/organizations/acme/invitations/${third.id}`)).body['code'],
        'invitation_not_found',
      );
    });

    test('report errors', async () => {
      assert.equal((await invite('a@example.org', { department: 'nowhere' })).code, 'department_not_found');
      assert.equal((await invite('nobody')).code, 'request_invalid');
      assert.equal(
        (await admin.send('POST', '/organizations/nowhere/invitations', { email: 'a@example.org', role: 'member' }))
          .body['code'],
        'organization_not_found',
      );
      assert.equal((await admin.get('/organizations/nowhere/invitations')).status, 404);
      const mate = await it.signIn('mate@acme.example');
      for (const [method, path] of [
        ['POST', '/organizations/acme/invitations'],
        ['DELETE', '/organizations/acme/invitations/x'],
      ] as const) {
        assert.equal(
          (await mate.send(method, path, method === 'POST' ? { email: 'a@example.org', role: 'member' } : undefined))
            .status,
          403,
        );
      }
    });

    test('whose mail is not accepted are refused, and keep the earlier one', async () => {
      await invite('twice@example.org');
      const token = mailedToken();
      const before = (await pending()).length;
      mail.full = true;
      const { status, body } = await admin.send('POST', '/organizations/acme/invitations', {
        email: 'twice@example.org',
        role: 'admin',
      });
      assert.deepEqual([status, body['code'], body['url']], [503, 'invitation_not_mailed', undefined]);
      assert.equal((await pending()).length, before);
      assert.equal((await find(token)).body['role'], 'member');
    });

    test('that are mailed show their link to nobody, and prove the address', async () => {
      const created = await invite('mailed@example.org');
      const token = mailedToken();
      const seen = JSON.stringify([created, await pending(), await auditOf(it.database)]);
      assert.ok(!seen.includes(token));
      assert.ok(!seen.includes('url'));
      await accept(token);
      assert.equal(await isProved('mailed@example.org'), true);
    });

    test('that are mailed prove the address of an existing user, whose other sessions end', async () => {
      const id = await createUser(admin, 'doubtful@example.org');
      await admin.send('PATCH', `/users/${id}`, { emailVerified: false });
      const [here, elsewhere] = [await it.signIn('doubtful@example.org'), await it.signIn('doubtful@example.org')];
      await invite('doubtful@example.org');
      assert.equal((await accept(mailedToken(), {}, here)).status, 200);
      assert.equal(await isProved('doubtful@example.org'), true);
      assert.deepEqual(
        [(await here.get('/session')).body['kind'], (await elsewhere.get('/session')).body['kind']],
        ['user', 'anonymous'],
      );
    });

    test('are limited to five mails to one mailbox within an hour', async () => {
      for (let count = 0; count < 5; count++) assert.equal((await invite(`flood+${count}@example.org`)).mailed, true);
      const sent = mail.mails.length;
      const { status, body } = await admin.send('POST', '/organizations/acme/invitations', {
        email: 'flood@example.org',
        role: 'member',
      });
      assert.deepEqual([status, body['code'], mail.mails.length], [429, 'too_many_attempts', sent]);
    });

    test('are stored without their token', async () => {
      await invite('stored@example.org');
      const token = mailedToken();
      const rows = await it.database.db.selectFrom('invitation').selectAll().execute();
      assert.ok(!JSON.stringify(rows).includes(token));
    });
  });

  describe(`invitations without a mail server, on ${dialect}`, () => {
    let it: AccountsApp;
    let boss: Browser;
    let { invite, pending, isProved } = {} as ReturnType<typeof createInvitations>;
    before(async () => {
      it = await createAccountsApp(dialect);
      const admin = await it.admin();
      await createAcme(admin);
      ({ isProved } = createInvitations(admin));
      boss = await it.signIn('boss@acme.example');
      await boss.send('PUT', '/session/account', { type: 'organization', id: 'acme' });
      ({ invite, pending } = createInvitations(boss));
    });
    after(() => it.close());

    test('show their link once, to who invites, and prove nothing', async () => {
      const { url, mailed } = await invite('shown@example.org');
      const token = tokenIn(url);
      assert.equal(mailed, false);
      assert.ok(!JSON.stringify(await pending()).includes(token));
      const stranger = createBrowser(it.app);
      assert.equal((await stranger.send('POST', '/invitations/accept', { token, ...NEWCOMER })).status, 200);
      assert.equal(await isProved('shown@example.org'), false);
    });

    test('prove nothing for an existing user either', async () => {
      const user = await it.signIn('shown@example.org');
      const token = tokenIn((await invite('shown@example.org')).url);
      assert.equal((await user.send('POST', '/invitations/accept', { token })).status, 200);
      assert.equal(await isProved('shown@example.org'), false);
    });
  });
}
