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
  describe(`users, on ${dialect},`, () => {
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
    const tokenOf = (url: string) => new URLSearchParams(new URL(url).hash.slice(1)).get('token') ?? '';
    const kindOf = async (browser: Browser) => (await browser.get('/session')).body['kind'];
    const audited = async (action: string) => (await auditOf(it.database)).filter((event) => event.action === action);

    test('list their sessions and end them immediately', async () => {
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

    test('reset their password once through a mailed link, which ends their sessions', async () => {
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
        ['berth@example.org', ['diver@acme.example'], 'Reset your password'],
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

    test('get a reset link from a superadmin if there is no mail server', async () => {
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

    test('must give a second factor at each sign-in once they have enabled it', async () => {
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
        const browserInProgress = createBrowser(it.app);
        const answer = await browserInProgress.send('POST', '/api/auth/sign-in/email', {
          email: 'careful@example.org',
          password: PASSWORD,
        });
        assert.equal(answer.body['twoFactorRedirect'], true);
        assert.equal(await kindOf(browserInProgress), 'anonymous');
        return browserInProgress;
      };
      const withApp = await signIn();
      assert.equal((await withApp.send('POST', '/api/auth/two-factor/verify-totp', { code: '000000' })).status, 401);
      assert.equal(
        (await withApp.send('POST', '/api/auth/two-factor/verify-totp', { code: codeOf(secret, 1) })).status,
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
}

test('a reset link cannot be requested without a mail server', async () => {
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
