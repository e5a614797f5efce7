// When an address counts as proved, and what is left of what was set up before.

import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { createMailer } from '../../src/mail/index.ts';
import { eventually } from '../support/eventually.ts';
import { startMailServer, type TestMailServer } from '../support/mail-server.ts';
import { DIALECTS } from '../support/test-database.ts';
import { codeOf } from '../support/totp.ts';
import {
  auditOf,
  createAccountsApp,
  createBrowser,
  createUser,
  PASSWORD,
  type AccountsApp,
  type Browser,
} from './accounts-app.ts';

const NEW_PASSWORD = 'a third mate 3';

for (const dialect of DIALECTS) {
  describe(`the proof of an address, on ${dialect}`, () => {
    let it: AccountsApp;
    let mail: TestMailServer;
    let admin: Browser;
    const takenOver: string[] = [];
    before(async () => {
      mail = await startMailServer();
      it = await createAccountsApp(dialect, {
        mailer: createMailer({ url: mail.url, from: 'berth@example.org' }),
        onUserTakenOver: [
          (_tx, _actor, { id }) => {
            takenOver.push(id);
            return Promise.resolve();
          },
        ],
      });
      admin = await it.admin();
    });
    after(async () => {
      await it.close();
      await mail.stop();
    });
    beforeEach(() => {
      mail.mails.length = 0;
      takenOver.length = 0;
    });

    const isProved = async (id: string) => (await admin.get(`/users/${id}`)).body['emailVerified'];
    const tokenIn = (text: string) => /#token=([\w.-]+)/.exec(text)?.[1] ?? assert.fail(text);
    const mailedToken = async (email: string) => {
      await createBrowser(it.app).send('POST', '/api/auth/request-password-reset', { email });
      await eventually(() => Promise.resolve(assert.equal(mail.mails.length, 1)));
      return tokenIn(mail.mails[0]?.text ?? '');
    };
    const passedOnToken = async (id: string) =>
      tokenIn((await admin.send('POST', `/users/${id}/password-link`)).body['url'] as string);
    const reset = async (token: string) =>
      (await createBrowser(it.app).send('POST', '/api/auth/reset-password', { token, newPassword: NEW_PASSWORD }))
        .status;
    /** Creates a user with a second factor. */
    const createCareful = async (email: string, isProved: boolean) => {
      const id = await createUser(admin, email);
      await admin.send('PATCH', `/users/${id}`, { emailVerified: isProved });
      const browser = await it.signIn(email);
      const { body } = await browser.send('POST', '/api/auth/two-factor/enable', { password: PASSWORD });
      const secret = new URL(body['totpURI'] as string).searchParams.get('secret') ?? '';
      await browser.send('POST', '/api/auth/two-factor/verify-totp', { code: codeOf(secret) });
      return { id, browser };
    };
    const asksSecondFactor = async (email: string) => {
      const { body } = await createBrowser(it.app).send('POST', '/api/auth/sign-in/email', {
        email,
        password: NEW_PASSWORD,
      });
      return body['twoFactorRedirect'] === true;
    };

    test('users whom a superadmin made are proved, and so is the first superadmin', async () => {
      await createUser(admin, 'made@example.org');
      const { results } = (await admin.get('/users')).body as { results: { emailVerified: boolean }[] };
      assert.ok(results.length >= 2);
      assert.ok(results.every(({ emailVerified }) => emailVerified));
    });

    test('a superadmin can vouch for an address, and take it back', async () => {
      const id = await createUser(admin, 'vouched@example.org');
      for (const emailVerified of [false, true]) {
        const { body } = await admin.send('PATCH', `/users/${id}`, { emailVerified });
        assert.deepEqual([body['emailVerified'], await isProved(id)], [emailVerified, emailVerified]);
        const { results } = (await admin.get('/accounts?q=vouched')).body as { results: object[] };
        assert.partialDeepStrictEqual(results, [{ id, emailVerified }]);
      }
      const vouched = await it.signIn('vouched@example.org');
      assert.equal((await vouched.send('PATCH', `/users/${id}`, { emailVerified: true })).status, 403);
    });

    test('a password set through a mailed link proves it, and leaves nothing that was set up before', async () => {
      const email = 'claimed@example.org';
      const { id, browser } = await createCareful(email, false);
      assert.equal(await reset(await mailedToken(email)), 200);
      assert.equal(await isProved(id), true);
      assert.equal((await browser.get('/session')).body['kind'], 'anonymous');
      assert.equal(await asksSecondFactor(email), false);
      assert.deepEqual(takenOver, [id]);
      const event = (await auditOf(it.database)).find(({ action }) => action === 'user.prove-address');
      assert.deepEqual(JSON.parse(event?.details ?? ''), { email, by: 'password-link', removed: ['second-factor'] });
    });

    test('a password set through a mailed link keeps the second factor of a proved user', async () => {
      const email = 'careful@example.org';
      await createCareful(email, true);
      assert.equal(await reset(await mailedToken(email)), 200);
      assert.equal(await asksSecondFactor(email), true);
      assert.deepEqual(takenOver, []);
    });

    test('a password set through a link that a superadmin passed on proves nothing', async () => {
      const email = 'passed-on@example.org';
      const { id } = await createCareful(email, false);
      assert.equal(await reset(await passedOnToken(id)), 200);
      assert.equal(await isProved(id), false);
      assert.equal(await asksSecondFactor(email), true);
      assert.deepEqual(takenOver, []);
    });

    test('the database holds no token of a link, and nothing that could be used as one', async () => {
      const email = 'hashed@example.org';
      const id = await createUser(admin, email);
      const tokens = [await mailedToken(email), await passedOnToken(id)];
      const rows = await it.database.db.selectFrom('verification').selectAll().where('value', '=', id).execute();
      assert.equal(rows.length, 2);
      for (const token of tokens) assert.ok(!JSON.stringify(rows).includes(token.slice(5)));
      for (const { identifier } of rows) assert.equal(await reset(identifier), 400);
      for (const token of tokens) assert.equal(await reset(token), 200);
    });
  });
}
