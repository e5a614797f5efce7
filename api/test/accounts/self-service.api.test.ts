import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { createMailer } from '../../src/mail/index.ts';
import { eventually } from '../support/eventually.ts';
import { startMailServer, type TestMailServer } from '../support/mail-server.ts';
import { codeOf } from '../support/totp.ts';
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

const NEW_PASSWORD = 'third mate 3';

for (const dialect of DIALECTS) {
  describe(`what users do for themselves, on ${dialect}`, () => {
    let it: AccountsApp;
    let mail: TestMailServer;
    let admin: Browser;
    let ids: { boss: string; mate: string; diver: string };
    before(async () => {
      mail = await startMailServer();
      it = await createAccountsApp(dialect, {
        mailer: createMailer({ url: mail.url, from: 'Berth <berth@example.org>' }),
      });
      admin = await it.admin();
      ids = await createAcme(admin);
    });
    after(async () => {
      await it.close();
      await mail.stop();
    });
    beforeEach(() => {
      mail.mails.length = 0;
      mail.full = false;
    });

    const linkIn = (text: string) => /http:\/\/localhost\/\S+/.exec(text)?.[0] ?? assert.fail(text);
    const tokenOf = (url: string) => new URL(url).searchParams.get('token') ?? '';
    const kindOf = async (browser: Browser) => (await browser.get('/session')).body['kind'];
    const audited = async (action: string) => (await auditOf(it.database)).filter((event) => event.action === action);

    test('list their sessions, and end them at once', async () => {
      const [here, there, elsewhere] = [
        await it.signIn('mate@acme.example'),
        await it.signIn('mate@acme.example'),
        await it.signIn('mate@acme.example'),
      ];
      const { body } = await here.get('/sessions');
      const results = body['results'] as { id: string; isCurrent: boolean; token?: string }[];
      assert.deepEqual([body['count'], results.filter(({ isCurrent }) => isCurrent).length], [3, 1]);
      assert.ok(!JSON.stringify(body).includes('token'));
      const foreign = (await (await it.signIn('boss@acme.example')).get('/sessions')).body['results'] as {
        id: string;
      }[];
      assert.equal((await here.send('DELETE', `/sessions/${foreign[0]?.id}`)).body['code'], 'session_not_found');
      const other = ((await there.get('/sessions')).body['results'] as { id: string; isCurrent: boolean }[]).find(
        ({ isCurrent }) => isCurrent,
      );
      assert.equal((await here.send('DELETE', `/sessions/${other?.id}`)).status, 204);
      assert.deepEqual(
        [await kindOf(here), await kindOf(there), await kindOf(elsewhere)],
        ['user', 'anonymous', 'user'],
      );
      assert.equal((await here.send('DELETE', '/sessions')).status, 204);
      assert.deepEqual([await kindOf(here), await kindOf(elsewhere)], ['user', 'anonymous']);
      assert.equal((await createBrowser(it.app).get('/sessions')).body['code'], 'unauthenticated');
    });

    test('have a link mailed with which they set another password, once, and their sessions end', async () => {
      const session = await it.signIn('diver@acme.example');
      const stranger = createBrowser(it.app);
      const answers = await Promise.all(
        ['diver@acme.example', 'nobody@acme.example'].map(
          async (email) => (await stranger.send('POST', '/api/auth/request-password-reset', { email })).body,
        ),
      );
      assert.deepEqual(answers[0], answers[1]);
      await eventually(() => Promise.resolve(assert.equal(mail.mails.length, 1)));
      const [received] = mail.mails;
      assert.deepEqual(
        [received?.from, received?.to, received?.subject],
        ['berth@example.org', ['diver@acme.example'], 'Set another password'],
      );
      const token = tokenOf(linkIn(received?.text ?? ''));
      assert.equal(
        (await stranger.send('POST', '/api/auth/reset-password', { token: `${token}x`, newPassword: NEW_PASSWORD }))
          .status,
        400,
      );
      assert.equal(
        (await stranger.send('POST', '/api/auth/reset-password', { token, newPassword: 'short' })).status,
        400,
      );
      assert.equal(
        (await stranger.send('POST', '/api/auth/reset-password', { token, newPassword: NEW_PASSWORD })).status,
        200,
      );
      assert.equal(
        (await stranger.send('POST', '/api/auth/reset-password', { token, newPassword: PASSWORD })).status,
        400,
      );
      assert.equal(await kindOf(session), 'anonymous');
      await assert.rejects(it.signIn('diver@acme.example'));
      assert.equal(await kindOf(await it.signIn('diver@acme.example', NEW_PASSWORD)), 'user');
      assert.ok(
        (await audited('user.request-password-reset')).some(({ target_id: id }) => id === 'diver@acme.example'),
      );
    });

    test('get such a link from a superadmin where there is no mail server', async () => {
      const { status, body, headers } = await admin.send('POST', `/users/${ids.diver}/password-link`);
      assert.deepEqual([status, headers['cache-control']], [201, 'no-store']);
      assert.equal(
        (
          await createBrowser(it.app).send('POST', '/api/auth/reset-password', {
            token: tokenOf(body['url'] as string),
            newPassword: PASSWORD,
          })
        ).status,
        200,
      );
      assert.equal(await kindOf(await it.signIn('diver@acme.example')), 'user');
      assert.equal((await admin.send('POST', '/users/nobody/password-link')).body['code'], 'user_not_found');
      const mate = await it.signIn('mate@acme.example');
      assert.equal((await mate.send('POST', `/users/${ids.boss}/password-link`)).status, 403);
      assert.equal((await audited('user.make-password-link')).length, 1);
      assert.ok(!JSON.stringify(await auditOf(it.database)).includes(tokenOf(body['url'] as string)));
    });

    test('are asked for a second factor once they want it, at each sign-in', async () => {
      await createUser(admin, 'careful@example.org');
      const browser = await it.signIn('careful@example.org');
      assert.equal(
        (await browser.send('POST', '/api/auth/two-factor/enable', { password: 'wrong wrong' })).status,
        400,
      );
      const { body } = await browser.send('POST', '/api/auth/two-factor/enable', { password: PASSWORD });
      const [secret, codes] = [
        new URL(body['totpURI'] as string).searchParams.get('secret') ?? '',
        body['backupCodes'] as string[],
      ];
      assert.equal(
        (await browser.send('POST', '/api/auth/two-factor/verify-totp', { code: codeOf(secret) })).status,
        200,
      );

      const signIn = async () => {
        const half = createBrowser(it.app);
        const answer = await half.send('POST', '/api/auth/sign-in/email', {
          email: 'careful@example.org',
          password: PASSWORD,
        });
        assert.equal(answer.body['twoFactorRedirect'], true);
        assert.equal(await kindOf(half), 'anonymous');
        return half;
      };
      const withApp = await signIn();
      assert.equal((await withApp.send('POST', '/api/auth/two-factor/verify-totp', { code: '000000' })).status, 401);
      assert.equal(
        (await withApp.send('POST', '/api/auth/two-factor/verify-totp', { code: codeOf(secret) })).status,
        200,
      );
      assert.equal(await kindOf(withApp), 'user');
      const withBackup = await signIn();
      assert.equal(
        (await withBackup.send('POST', '/api/auth/two-factor/verify-backup-code', { code: codes[0] })).status,
        200,
      );
      assert.equal(await kindOf(withBackup), 'user');
      const again = await signIn();
      assert.notEqual(
        (await again.send('POST', '/api/auth/two-factor/verify-backup-code', { code: codes[0] })).status,
        200,
      );
      assert.equal((await withApp.send('POST', '/api/auth/two-factor/disable', { password: PASSWORD })).status, 200);
      assert.equal(await kindOf(await it.signIn('careful@example.org')), 'user');
      const outcomes = (await audited('session.verify-second-factor')).map(({ outcome }) => outcome);
      assert.ok(outcomes.includes('success') && outcomes.includes('refused'), outcomes.join(' '));
    });
  });

  describe(`invitations, on ${dialect}`, () => {
    let it: AccountsApp;
    let mail: TestMailServer;
    let admin: Browser;
    before(async () => {
      mail = await startMailServer();
      it = await createAccountsApp(dialect, { mailer: createMailer({ url: mail.url, from: 'berth@example.org' }) });
      admin = await it.admin();
      await createAcme(admin);
    });
    after(async () => {
      await it.close();
      await mail.stop();
    });

    const invite = async (email: string, more: object = {}) =>
      (await admin.send('POST', '/organizations/acme/invitations', { email, role: 'member', ...more })).body as {
        id: string;
        url: string;
        mailed: boolean;
        code?: string;
      };
    const pending = async () =>
      ((await admin.get('/organizations/acme/invitations')).body['results'] as { email: string }[]).map(
        ({ email }) => email,
      );

    test('make a new user and a member of whoever holds the address, once', async () => {
      const { id, url, mailed } = await invite('New@acme.example', { role: 'admin', department: 'sea' });
      assert.deepEqual(
        [mailed, mail.mails.at(-1)?.to, mail.mails.at(-1)?.text.includes(url)],
        [true, ['new@acme.example'], true],
      );
      assert.deepEqual(await pending(), ['new@acme.example']);
      const stranger = createBrowser(it.app);
      const { body: shown } = await stranger.get(`/invitations/${id}`);
      assert.partialDeepStrictEqual(shown, {
        email: 'new@acme.example',
        role: 'admin',
        department: 'sea',
        organization: { id: 'acme', name: 'Acme' },
        hasUser: false,
      });
      const incomplete = await stranger.send('POST', `/invitations/${id}/accept`, { name: 'New' });
      assert.deepEqual([incomplete.status, incomplete.body['code']], [400, 'invitation_fields_invalid']);
      assert.equal(
        (await stranger.send('POST', `/invitations/${id}/accept`, { name: 'New', password: PASSWORD })).status,
        200,
      );
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
      assert.deepEqual(
        [
          (await stranger.get(`/invitations/${id}`)).status,
          (await stranger.send('POST', `/invitations/${id}/accept`, { name: 'New', password: PASSWORD })).status,
        ],
        [404, 404],
      );
      assert.deepEqual(await pending(), []);
    });

    test('make a member of a user who signs in, and of nobody else', async () => {
      await createUser(admin, 'known@example.org');
      const { id } = await invite('known@example.org');
      const stranger = createBrowser(it.app);
      assert.equal((await stranger.get(`/invitations/${id}`)).body['hasUser'], true);
      assert.equal(
        (await stranger.send('POST', `/invitations/${id}/accept`, { name: 'Thief', password: PASSWORD })).body['code'],
        'unauthenticated',
      );
      assert.equal(
        (await (await it.signIn('mate@acme.example')).send('POST', `/invitations/${id}/accept`, {})).body['code'],
        'invitation_for_another',
      );
      const known = await it.signIn('known@example.org');
      assert.equal((await known.send('POST', `/invitations/${id}/accept`, {})).status, 200);
      assert.equal(((await known.get('/session')).body['accounts'] as object[]).length, 2);
    });

    test('are taken back, replaced by a new one, and over after a week', async () => {
      const first = await invite('late@example.org');
      const second = await invite('late@example.org');
      assert.deepEqual(await pending(), ['late@example.org']);
      const stranger = createBrowser(it.app);
      assert.equal((await stranger.get(`/invitations/${first.id}`)).status, 404);
      await it.database.db
        .updateTable('invitation')
        .set({ expiresAt: new Date(Date.now() - 1000) })
        .where('id', '=', second.id)
        .execute();
      assert.equal(
        (await stranger.send('POST', `/invitations/${second.id}/accept`, { name: 'Late', password: PASSWORD })).status,
        404,
      );
      const third = await invite('late@example.org');
      assert.equal((await admin.send('DELETE', `/organizations/acme/invitations/${third.id}`)).status, 204);
      assert.equal((await stranger.get(`/invitations/${third.id}`)).status, 404);
      assert.equal(
        (await admin.send('DELETE', `/organizations/acme/invitations/${third.id}`)).body['code'],
        'invitation_not_found',
      );
    });

    test('say what is wrong, and are told even when no mail can be sent', async () => {
      assert.equal((await invite('a@example.org', { department: 'nowhere' })).code, 'department_not_found');
      assert.equal((await invite('nobody')).code, 'request_invalid');
      assert.equal(
        (await admin.send('POST', '/organizations/nowhere/invitations', { email: 'a@example.org', role: 'member' }))
          .body['code'],
        'organization_not_found',
      );
      assert.equal((await admin.get('/organizations/nowhere/invitations')).status, 404);
      mail.full = true;
      assert.equal((await invite('unmailed@example.org')).mailed, false);
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
  });
}

test('no link can be asked for without a mail server', async () => {
  const it = await createAccountsApp('sqlite');
  try {
    const stranger = createBrowser(it.app);
    assert.equal((await stranger.get('/sign-in')).body['canResetPassword'], false);
    const { status, body } = await stranger.send('POST', '/api/auth/request-password-reset', {
      email: 'admin@example.org',
    });
    assert.deepEqual([status, body['code']], [400, 'RESET_PASSWORD_DISABLED']);
  } finally {
    await it.close();
  }
});
