import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { DIALECTS } from '../support/test-database.ts';
import { codeOf } from '../support/totp.ts';
import {
  auditOf,
  createAccountsApp,
  createBrowser,
  createUser,
  PASSWORD,
  SECRET,
  type AccountsApp,
  type Browser,
} from './accounts-app.ts';

const VERIFY = '/two-factor/verify-totp';

for (const dialect of DIALECTS) {
  describe(`the second factor, on ${dialect},`, () => {
    let it: AccountsApp;
    let admin: Browser;
    before(async () => {
      it = await createAccountsApp(dialect);
      admin = await it.admin();
    });
    after(() => it.close());
    let users = 0;
    let user: { id: string; email: string; browser: Browser };
    beforeEach(async () => {
      const email = `user${++users}@example.org`;
      const id = await createUser(admin, email);
      user = { id, email, browser: await it.signIn(email) };
    });

    let count = 0;
    const send = async (browser: Browser, path: string, body: object) => {
      count++;
      return browser.send('POST', `/api/auth${path}`, body, {
        'x-forwarded-for': `10.1.${count >> 8}.${count & 255}`,
      });
    };
    const kindOf = async (browser: Browser) => (await browser.get('/session')).body['kind'];
    const enroll = async () => {
      const { body } = await send(user.browser, '/two-factor/enable', { password: PASSWORD });
      return {
        secret: new URL(body['totpURI'] as string).searchParams.get('secret') ?? '',
        codes: body['backupCodes'] as string[],
      };
    };
    /** Enables it with the current code. */
    const enable = async () => {
      const enrolled = await enroll();
      const { status, body } = await send(user.browser, VERIFY, { code: codeOf(enrolled.secret) });
      assert.equal(status, 200, JSON.stringify(body));
      return enrolled;
    };
    /** Signs in up to the second factor. */
    const startSignIn = async (cookie = '') => {
      const browser = createBrowser(it.app, cookie);
      const { status, body } = await send(browser, '/sign-in/email', { email: user.email, password: PASSWORD });
      assert.deepEqual([status, body['twoFactorRedirect']], [200, true], JSON.stringify(body));
      return browser;
    };
    const statusesOf = (answers: { status: number }[]) => answers.map(({ status }) => status).sort();

    test('takes a code of the authenticator app once', async () => {
      const { secret } = await enable();
      const code = codeOf(secret, 1);
      const first = await startSignIn();
      assert.equal((await send(first, VERIFY, { code: ` ${code.slice(0, 3)} ${code.slice(3)}\n` })).status, 200);
      assert.equal(await kindOf(first), 'user');
      for (const spelling of [code, ` ${code}`, `${code.slice(0, 3)}\u00A0${code.slice(3)}`]) {
        const again = await startSignIn();
        const { status, body } = await send(again, VERIFY, { code: spelling });
        assert.deepEqual([status, body['code'], body['title']], [401, 'code_used', 'Code already used']);
        assert.match(String(body['detail']), /next one/);
        assert.equal(body['message'], body['detail']);
        assert.equal(await kindOf(again), 'anonymous');
      }
      const refusals = (await auditOf(it.database)).filter(
        ({ action, outcome, target_id: id }) =>
          action === 'session.verify-second-factor' && outcome === 'refused' && id === 'unknown',
      );
      assert.equal(refusals.length, 3);
    });

    test('takes the code that enabled it for no sign-in', async () => {
      const { secret } = await enroll();
      const code = codeOf(secret, 1);
      assert.equal((await send(user.browser, VERIFY, { code })).status, 200);
      const browser = await startSignIn();
      assert.equal((await send(browser, VERIFY, { code })).body['code'], 'code_used');
      assert.equal((await send(user.browser, VERIFY, { code })).body['code'], 'code_used');
    });

    test('counts a refused code as unused, and a used one for its user only', async () => {
      const { secret } = await enroll();
      const code = codeOf(secret);
      const other = { ...user };
      user.email = `user${++users}@example.org`;
      user.id = await createUser(admin, user.email);
      user.browser = await it.signIn(user.email);
      await enroll();
      assert.equal((await send(user.browser, VERIFY, { code })).body['code'], 'INVALID_CODE');
      assert.equal((await send(user.browser, VERIFY, { code })).body['code'], 'INVALID_CODE');
      assert.equal((await send(other.browser, VERIFY, { code })).status, 200);
    });

    test('takes a code for one of several concurrent sign-ins', async () => {
      const { secret } = await enable();
      const code = codeOf(secret, 1);
      const browsers = [];
      for (let index = 0; index < 6; index++) browsers.push(await startSignIn());
      const answers = await Promise.all(browsers.map((browser) => send(browser, VERIFY, { code })));
      assert.deepEqual(statusesOf(answers), [200, 401, 401, 401, 401, 401]);
      const kinds = [];
      for (const browser of browsers) kinds.push(await kindOf(browser));
      assert.equal(kinds.filter((kind) => kind === 'user').length, 1);
    });

    test('takes a backup code for one of several concurrent sign-ins, and never again', async () => {
      const { codes } = await enable();
      const browsers = [];
      for (let index = 0; index < 6; index++) browsers.push(await startSignIn());
      const answers = await Promise.all(
        browsers.map((browser) => send(browser, '/two-factor/verify-backup-code', { code: ` ${codes[0]} ` })),
      );
      assert.equal(
        statusesOf(answers).filter((status) => status === 200).length,
        1,
        JSON.stringify(statusesOf(answers)),
      );
      const kinds = [];
      for (const browser of browsers) kinds.push(await kindOf(browser));
      assert.equal(kinds.filter((kind) => kind === 'user').length, 1);
      const late = await send(await startSignIn(), '/two-factor/verify-backup-code', { code: codes[0] });
      assert.deepEqual([late.status, late.body['code']], [401, 'INVALID_BACKUP_CODE']);
      assert.equal(
        (await send(await startSignIn(), '/two-factor/verify-backup-code', { code: codes[1] })).status,
        200,
      );
    });

    test('cannot be given a used code by spelling the cookie of the sign-in in another way', async () => {
      const { secret } = await enable();
      const code = codeOf(secret, 1);
      assert.equal((await send(await startSignIn(), VERIFY, { code })).status, 200);
      const spellings = [
        (value: string) => `better-auth.two_factor="${value}"`,
        (value: string) => `better-auth.two_factor="${value}x`,
        (value: string) => `; better-auth.two_factor = ${value}`,
        (value: string) => `=;better-auth.two_factor=${value}`,
        (value: string) => `x; better-auth.two_factor=${value}; better-auth.two_factor=y`,
        (value: string) => `better-auth.two_factor=y; better-auth.two_factor=${value}`,
        (value: string) => `better-auth.two_factor=${decodeURIComponent(value)}`,
        (value: string) => `better-auth.session_token=y; better-auth.two_factor=${value}`,
        (value: string) => `${admin.cookie}; better-auth.two_factor=${value}`,
      ];
      for (const spell of spellings) {
        const value = /two_factor=([^;]+)/.exec((await startSignIn()).cookie)?.[1] ?? '';
        const forged = createBrowser(it.app, spell(value));
        const { status, headers } = await send(forged, VERIFY, { code });
        assert.ok(status === 400 || status === 401, `${spell('…')}: ${status}`);
        assert.doesNotMatch(String(headers['set-cookie'] ?? ''), /session_token=[^;]/, spell('…'));
      }
    });

    test('is asked for at every sign-in: no device is trusted', async () => {
      const { secret } = await enable();
      const browser = await startSignIn();
      const answer = await send(browser, VERIFY, { code: codeOf(secret, 1), trustDevice: true });
      assert.equal(answer.status, 200);
      assert.doesNotMatch(String(answer.headers['set-cookie']), /trust_device/);
      assert.doesNotMatch(browser.cookie, /trust_device/);

      // As releases made it that had trusted devices.
      const identifier = 'trust-device-abcdefghijklmnopqrstuvwxyzABCDEF';
      const now = new Date();
      const expires = new Date(Date.now() + 86_400_000);
      const asDate = (date: Date) => (dialect === 'postgres' ? date : date.toISOString());
      await it.database.db
        .insertInto('verification')
        .values({
          id: `trusted-${user.id}`,
          identifier,
          value: user.id,
          expiresAt: asDate(expires),
          createdAt: asDate(now),
          updatedAt: asDate(now),
        })
        .execute();
      const token = createHmac('sha256', SECRET).update(`${user.id}!${identifier}`).digest('base64url');
      const value = `${token}!${identifier}`;
      const signed = encodeURIComponent(`${value}.${createHmac('sha256', SECRET).update(value).digest('base64')}`);
      for (const cookie of [
        `better-auth.trust_device=${signed}`,
        `x=1;better-auth.trust_device = ${signed}`,
        `; ;  better-auth.trust_device="${signed}"`,
      ])
        assert.equal(await kindOf(await startSignIn(cookie)), 'anonymous', cookie);
    });
  });
}
