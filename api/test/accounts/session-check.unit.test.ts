import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { createAuth, type Auth } from '../../src/accounts/auth/auth.ts';
import { createAuthCalls } from '../../src/accounts/auth/call-context.ts';
import { FAST_PASSWORDS } from '../support/fast-passwords.ts';
import { DIALECTS } from '../support/test-database.ts';
import { createAccountsApp, createUser, SECRET, type AccountsApp, type Browser } from './accounts-app.ts';

const DAY_MS = 24 * 3600 * 1000;
const NAME = 'better-auth.session_token';

for (const dialect of DIALECTS) {
  describe(`the session check agrees with better-auth's, on ${dialect}`, () => {
    let it: AccountsApp;
    let auth: Auth;
    let admin: Browser;
    before(async () => {
      it = await createAccountsApp(dialect);
      auth = createAuth({
        database: it.database,
        publicUrl: 'http://localhost',
        secret: SECRET,
        passwords: FAST_PASSWORDS,
        signInsPerMinute: 20,
        calls: createAuthCalls(),
      });
      admin = await it.admin();
      await createUser(admin, 'ada@example.org');
    });
    after(() => it.close());

    const checkOwn = async (cookie: string) => {
      const caller = await it.accounts.authenticateSession({ cookie });
      return caller && { session: caller.sessionId, user: caller.user };
    };
    const checkBetterAuth = async (cookie: string) => {
      const active = await auth.api.getSession({ headers: new Headers({ cookie }) });
      return active
        ? {
            session: active.session.id,
            user: { id: active.user.id, name: active.user.name, email: active.user.email },
          }
        : undefined;
    };
    const assertBoth = async (cookie: string, expected: 'valid' | 'invalid') => {
      const own = await checkOwn(cookie);
      assert.deepEqual(own, await checkBetterAuth(cookie), cookie);
      assert.equal(own === undefined ? 'invalid' : 'valid', expected, cookie);
    };
    const sign = (token: string, secret = SECRET) => createHmac('sha256', secret).update(token).digest('base64');
    const signedIn = async (email = 'ada@example.org') => {
      const { cookie } = await it.signIn(email);
      const [token = '', signature = ''] = decodeURIComponent(cookie.slice(NAME.length + 1)).split('.');
      return { cookie, token, signature };
    };

    test('for well-formed and malformed cookies', async () => {
      const { cookie, token, signature } = await signedIn();
      const value = encodeURIComponent(`${token}.${signature}`);
      for (const valid of [
        cookie,
        `a=b; ${cookie}`,
        `${cookie}; a=b`,
        `${cookie};`,
        `${NAME}=${token}.${signature}`,
        `${NAME}="${value}"`,
        ` ${NAME} = ${value} `,
        `broken; ${cookie}`,
        `${cookie}; ${NAME}=other`,
      ]) {
        await assertBoth(valid, 'valid');
      }
      for (const invalid of [
        '',
        NAME,
        `${NAME}=`,
        `${NAME}=${token}`,
        `${NAME}=${token}.`,
        `${NAME}=.${signature}`,
        `${NAME}=${signature}`,
        `${NAME}=other; ${cookie}`,
        `x${cookie}`,
        `__Secure-${cookie}`,
        cookie.toUpperCase(),
        `${NAME}=${token}x.${signature}`,
        `${NAME}=${token}.${signature.replace(/.{5}$/, 'AAAA=')}`,
        `${NAME}=${token}.${signature.slice(0, -1)}`,
        `${NAME}=${token}.${encodeURIComponent(sign(token, 'another secret'.repeat(3)))}`,
        `${NAME}=${encodeURIComponent(`nobody.${sign('nobody')}`)}`,
        `${NAME}=${encodeURIComponent(`${token}.${signature}.${signature}`)}`,
        `${NAME}=%E0%A4%A`,
      ])
        await assertBoth(invalid, 'invalid');
    });

    test('for ended sessions: signed out, expired, or of a disabled or deleted user', async () => {
      const [out, expired, off, gone] = [
        await it.signIn('ada@example.org'),
        await signedIn(),
        await createUser(admin, 'off@example.org'),
        await createUser(admin, 'gone@example.org'),
      ];
      const [offCookie, goneCookie, outCookie] = [
        (await signedIn('off@example.org')).cookie,
        (await signedIn('gone@example.org')).cookie,
        out.cookie,
      ];
      for (const cookie of [outCookie, expired.cookie, offCookie, goneCookie]) await assertBoth(cookie, 'valid');
      await out.send('POST', '/api/auth/sign-out', {});
      await it.database.db
        .updateTable('session')
        .set({ expiresAt: new Date(Date.now() - 1) })
        .where('token', '=', expired.token)
        .execute();
      await admin.send('PATCH', `/users/${off}`, { disabled: true });
      await admin.send('DELETE', `/users/${gone}`);
      for (const cookie of [outCookie, expired.cookie, offCookie, goneCookie]) await assertBoth(cookie, 'invalid');
    });

    test('for users who change while they are signed in', async () => {
      const id = await createUser(admin, 'renamed@example.org');
      const { cookie } = await signedIn('renamed@example.org');
      await admin.send('PATCH', `/users/${id}`, { name: 'New Name', isAdmin: true });
      await assertBoth(cookie, 'valid');
      assert.equal((await checkOwn(cookie))?.user.name, 'New Name');
    });

    test('except that a disabled user is refused even if a session remains', async () => {
      const id = await createUser(admin, 'banned@example.org');
      const { cookie } = await signedIn('banned@example.org');
      const ban = (banExpires: Date | null) =>
        it.database.db.updateTable('user').set({ banned: true, banExpires }).where('id', '=', id).execute();
      await ban(null);
      assert.equal(await checkOwn(cookie), undefined);
      await ban(new Date(Date.now() + DAY_MS));
      assert.equal(await checkOwn(cookie), undefined);
      await ban(new Date(Date.now() - DAY_MS));
      assert.notEqual(await checkOwn(cookie), undefined);
    });

    describe('renewal', () => {
      const expiry = async (token: string) =>
        new Date(
          (
            await it.database.db
              .selectFrom('session')
              .select('expiresAt')
              .where('token', '=', token)
              .executeTakeFirstOrThrow()
          ).expiresAt,
        ).getTime();
      const expireIn = (token: string, days: number) =>
        it.database.db
          .updateTable('session')
          .set({ expiresAt: new Date(Date.now() + days * DAY_MS) })
          .where('token', '=', token)
          .execute();

      test('a day-old session is renewed for a week, with a new cookie', async () => {
        const browser = await it.signIn('ada@example.org');
        const token = decodeURIComponent(browser.cookie.slice(NAME.length + 1)).split('.')[0] ?? '';
        assert.equal((await browser.get('/session')).headers['set-cookie'], undefined);
        await expireIn(token, 5.9);
        const { body, headers } = await browser.get('/session');
        assert.equal(body['kind'], 'user');
        assert.match(
          String(headers['set-cookie']),
          /^better-auth\.session_token=[^;]+; Max-Age=604800; Path=\/; HttpOnly; SameSite=Lax$/,
        );
        assert.ok((await expiry(token)) > Date.now() + 6.9 * DAY_MS);
        assert.equal((await browser.get('/session')).headers['set-cookie'], undefined);
      });

      test('a session without remember-me is not renewed', async () => {
        const { cookies } = await it.app.inject({
          method: 'POST',
          url: '/api/auth/sign-in/email',
          payload: { email: 'ada@example.org', password: 'second mate 2', rememberMe: false },
        });
        const cookie = cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
        const token = cookies[0]?.value.split('.')[0] ?? '';
        await assertBoth(cookie, 'valid');
        await expireIn(token, 0.5);
        await assertBoth(cookie, 'valid');
        assert.ok((await expiry(token)) < Date.now() + DAY_MS);
      });

      test('concurrent requests can renew a session', async () => {
        const browser = await it.signIn('ada@example.org');
        const token = decodeURIComponent(browser.cookie.slice(NAME.length + 1)).split('.')[0] ?? '';
        await expireIn(token, 1);
        const answers = await Promise.all(Array.from({ length: 5 }, () => browser.get('/session')));
        assert.deepEqual(
          answers.map(({ body }) => body['kind']),
          Array.from({ length: 5 }, () => 'user'),
        );
        assert.ok((await expiry(token)) > Date.now() + 6.9 * DAY_MS);
      });
    });
  });
}

test('under https and a base path, the cookie is secure and limited to that path', async (t) => {
  const it = await createAccountsApp('sqlite', { publicUrl: 'https://example.org/registry' });
  t.after(() => it.close());
  const browser = await it.admin();
  assert.match(browser.cookie, /^__Secure-better-auth\.session_token=/);
  assert.equal((await browser.get('/api/v1/session')).body['isAdmin'], true);
  assert.equal((await browser.get('/api/auth/get-session')).status, 200);
  const { headers } = await it.app.inject({
    method: 'POST',
    url: '/registry/api/auth/sign-out',
    headers: { cookie: browser.cookie },
  });
  assert.match(
    String(headers['set-cookie']),
    /^__Secure-better-auth\.session_token=; Max-Age=0; Path=\/registry; HttpOnly; Secure; SameSite=Lax/,
  );
});
