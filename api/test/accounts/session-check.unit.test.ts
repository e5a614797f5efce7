import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { createAuth, type Auth } from '../../src/accounts/auth/auth.ts';
import { FAST_PASSWORDS } from '../support/fast-passwords.ts';
import { DIALECTS } from '../support/test-database.ts';
import { createAccountsApp, createUser, SECRET, type AccountsApp, type Browser } from './accounts-app.ts';

const DAY_MS = 24 * 3600 * 1000;
const NAME = 'better-auth.session_token';

for (const dialect of DIALECTS) {
  describe(`our check of a session says what better-auth's says, on ${dialect}`, () => {
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
      });
      admin = await it.admin();
      await createUser(admin, 'ada@example.org');
    });
    after(() => it.close());

    const byUs = async (cookie: string) => {
      const caller = await it.accounts.authenticateSession({ cookie });
      return caller && { session: caller.sessionId, user: caller.user };
    };
    const byBetterAuth = async (cookie: string) => {
      const found = await auth.api.getSession({ headers: new Headers({ cookie }) });
      return found
        ? { session: found.session.id, user: { id: found.user.id, name: found.user.name, email: found.user.email } }
        : undefined;
    };
    const agree = async (cookie: string, expected: 'holds' | 'does not') => {
      const ours = await byUs(cookie);
      assert.deepEqual(ours, await byBetterAuth(cookie), cookie);
      assert.equal(ours === undefined ? 'does not' : 'holds', expected, cookie);
    };
    const sign = (token: string, secret = SECRET) => createHmac('sha256', secret).update(token).digest('base64');
    const signedIn = async (email = 'ada@example.org') => {
      const { cookie } = await it.signIn(email);
      const [token = '', signature = ''] = decodeURIComponent(cookie.slice(NAME.length + 1)).split('.');
      return { cookie, token, signature };
    };

    test('for cookies of every form', async () => {
      const { cookie, token, signature } = await signedIn();
      const value = encodeURIComponent(`${token}.${signature}`);
      for (const holding of [
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
        await agree(holding, 'holds');
      }
      for (const failing of [
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
        await agree(failing, 'does not');
    });

    test('for sessions that end: signed out, expired, their user disabled or deleted', async () => {
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
      for (const cookie of [outCookie, expired.cookie, offCookie, goneCookie]) await agree(cookie, 'holds');
      await out.send('POST', '/api/auth/sign-out', {});
      await it.database.db
        .updateTable('session')
        .set({ expiresAt: new Date(Date.now() - 1) })
        .where('token', '=', expired.token)
        .execute();
      await admin.send('PATCH', `/users/${off}`, { disabled: true });
      await admin.send('DELETE', `/users/${gone}`);
      for (const cookie of [outCookie, expired.cookie, offCookie, goneCookie]) await agree(cookie, 'does not');
    });

    test('for users who are changed while they are signed in', async () => {
      const id = await createUser(admin, 'renamed@example.org');
      const { cookie } = await signedIn('renamed@example.org');
      await admin.send('PATCH', `/users/${id}`, { name: 'New Name', isAdmin: true });
      await agree(cookie, 'holds');
      assert.equal((await byUs(cookie))?.user.name, 'New Name');
    });

    test('but a disabled user is out even if a session of his was left', async () => {
      const id = await createUser(admin, 'banned@example.org');
      const { cookie } = await signedIn('banned@example.org');
      const ban = (banExpires: Date | null) =>
        it.database.db.updateTable('user').set({ banned: true, banExpires }).where('id', '=', id).execute();
      await ban(null);
      assert.equal(await byUs(cookie), undefined);
      await ban(new Date(Date.now() + DAY_MS));
      assert.equal(await byUs(cookie), undefined);
      await ban(new Date(Date.now() - DAY_MS));
      assert.notEqual(await byUs(cookie), undefined);
    });

    describe('prolonging', () => {
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

      test('a session that is a day old gets a new week, and the browser a new cookie', async () => {
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

      test('a session of somebody who is not to be remembered ends as it is', async () => {
        const { cookies } = await it.app.inject({
          method: 'POST',
          url: '/api/auth/sign-in/email',
          payload: { email: 'ada@example.org', password: 'second mate 2', rememberMe: false },
        });
        const cookie = cookies.map(({ name, value }) => `${name}=${encodeURIComponent(value)}`).join('; ');
        const token = cookies[0]?.value.split('.')[0] ?? '';
        await agree(cookie, 'holds');
        await expireIn(token, 0.5);
        await agree(cookie, 'holds');
        assert.ok((await expiry(token)) < Date.now() + DAY_MS);
      });

      test('many requests at once prolong it without harm', async () => {
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

test('under https below a path the cookie is secure and of that path', async (t) => {
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
