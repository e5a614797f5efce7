import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DIALECTS } from '../support/test-database.ts';
import {
  ADMIN,
  auditOf,
  createAccountsApp,
  createBrowser,
  PASSWORD,
  type AccountsApp,
  type Answer,
} from './accounts-app.ts';

const SIGN_IN = '/api/auth/sign-in/email';
const ADA = { email: 'ada@example.org', password: PASSWORD };

for (const dialect of DIALECTS) {
  describe(`signing in, on ${dialect}`, () => {
    let it: AccountsApp;
    before(async () => {
      it = await createAccountsApp(dialect);
      const admin = await it.admin();
      for (const email of [ADA.email, 'gone@example.org', 'off@example.org'])
        await admin.send('POST', '/users', { email, name: email, password: PASSWORD });
      const { body } = await admin.get('/users?q=off');
      await admin.send('PATCH', `/users/${(body['results'] as { id: string }[])[0]?.id}`, { disabled: true });
    });
    after(() => it.close());

    const signIn = (body: unknown, headers?: Record<string, string>): Promise<Answer> =>
      createBrowser(it.app).send('POST', SIGN_IN, body, headers);

    test('an address with a dotless domain can sign in, like that of the first superadmin', async () => {
      const { body } = await (await it.admin()).get('/session');
      assert.equal(body['isAdmin'], true);
      assert.equal((body['user'] as { email: string }).email, ADMIN.email);
    });

    test('addresses are case-insensitive', async () => {
      assert.equal((await signIn({ ...ADA, email: 'Ada@Example.ORG' })).status, 200);
    });

    test('the cookie is HttpOnly, SameSite=Lax and valid for the whole path', async () => {
      const { headers } = await signIn(ADA);
      assert.match(
        String(headers['set-cookie']),
        /^better-auth\.session_token=[^;]+; Max-Age=604800; Path=\/; HttpOnly; SameSite=Lax$/,
      );
      assert.equal(headers['cache-control'], 'no-store');
    });

    test('a wrong password and an unknown address get the same answer', async () => {
      const answers = await Promise.all([
        signIn({ ...ADA, password: 'wrong password' }),
        signIn({ email: 'nobody@example.org', password: PASSWORD }),
        signIn({ email: 'nobody@intranet', password: PASSWORD }),
      ]);
      for (const { status, body, headers } of answers) {
        assert.equal(status, 401);
        assert.match(String(headers['content-type']), /^application\/problem\+json/);
        assert.deepEqual(
          { ...body, requestId: '' },
          {
            status: 401,
            title: 'Unauthorized',
            detail: 'Invalid email or password',
            code: 'INVALID_EMAIL_OR_PASSWORD',
            requestId: '',
            message: 'Invalid email or password',
          },
        );
      }
    });

    test('a disabled user is told so only with the right password', async () => {
      assert.equal((await signIn({ email: 'off@example.org', password: PASSWORD })).body['code'], 'BANNED_USER');
      assert.equal(
        (await signIn({ email: 'off@example.org', password: 'wrong password' })).body['code'],
        'INVALID_EMAIL_OR_PASSWORD',
      );
    });

    test('invalid requests get a problem document', async () => {
      assert.deepEqual(
        [(await signIn({ email: 1 })).body['code'], (await signIn({ ...ADA, email: 'no address' })).body['code']],
        ['request_invalid', 'INVALID_EMAIL'],
      );
      const malformed = await it.app.inject({
        method: 'POST',
        url: SIGN_IN,
        headers: { 'content-type': 'application/json' },
        payload: '{"email":',
      });
      assert.deepEqual([malformed.statusCode, malformed.json<{ code: string }>().code], [400, 'body_invalid']);
      const empty = await it.app.inject({ method: 'POST', url: SIGN_IN });
      assert.deepEqual([empty.statusCode, empty.json<{ code: string }>().code], [400, 'body_invalid']);
    });

    test('registration and changes of users and organisations are not exposed', async () => {
      const admin = await it.admin();
      const paths = [
        'sign-up/email',
        'organization/create',
        'organization/delete',
        'admin/create-user',
        'admin/remove-user',
        'admin/set-role',
        'admin/impersonate-user',
        'update-user',
        'delete-user',
        'update-session',
      ];
      for (const path of paths) {
        const { status, body } = await admin.send('POST', `/api/auth/${path}`, {
          email: 'me@example.org',
          name: 'Me',
          password: PASSWORD,
          slug: 'me',
        });
        assert.deepEqual([status, body['code']], [404, 'route_not_found'], path);
      }
    });

    test('a page of another origin cannot sign in or out, a program without Origin can', async () => {
      const browser = await it.signIn(ADA.email);
      for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }]) {
        assert.equal((await signIn(ADA, headers)).body['code'], 'cross_origin');
        assert.equal((await browser.send('POST', '/api/auth/sign-out', {}, headers)).body['code'], 'cross_origin');
      }
      assert.equal((await browser.get('/session')).body['kind'], 'user');
      assert.equal((await signIn(ADA, { origin: 'http://localhost', host: 'localhost' })).status, 200);
      assert.equal((await browser.send('POST', '/api/auth/sign-out', {})).status, 200);
    });

    test('signing out ends the session for every holder of the cookie', async () => {
      const browser = await it.signIn(ADA.email);
      const copy = createBrowser(it.app, browser.cookie);
      await browser.send('POST', '/api/auth/sign-out', {});
      assert.equal(browser.cookie, '');
      assert.equal((await copy.get('/session')).body['kind'], 'anonymous');
    });

    test('a user changes their password and can end their other sessions', async () => {
      const [browser, other] = [await it.signIn('gone@example.org'), await it.signIn('gone@example.org')];
      const change = (currentPassword: string) =>
        browser.send('POST', '/api/auth/change-password', {
          currentPassword,
          newPassword: 'a third mate 3',
          revokeOtherSessions: true,
        });
      assert.equal((await change('wrong password')).body['code'], 'INVALID_PASSWORD');
      assert.equal((await change(PASSWORD)).status, 200);
      assert.equal((await browser.get('/session')).body['kind'], 'user');
      assert.equal((await other.get('/session')).body['kind'], 'anonymous');
      assert.equal((await signIn({ email: 'gone@example.org', password: PASSWORD })).status, 401);
      assert.equal((await signIn({ email: 'gone@example.org', password: 'a third mate 3' })).status, 200);
    });

    test('passwords have 8 to 128 characters', async () => {
      const browser = await it.signIn(ADA.email);
      const change = async (newPassword: string) =>
        (await browser.send('POST', '/api/auth/change-password', { currentPassword: PASSWORD, newPassword })).body[
          'code'
        ];
      assert.deepEqual(
        [await change('7 chars'), await change('x'.repeat(129))],
        ['PASSWORD_TOO_SHORT', 'PASSWORD_TOO_LONG'],
      );
    });

    test('sign-in, sign-out and failed attempts are audited with address', async () => {
      await it.database.db.deleteFrom('audit_events').execute();
      const browser = await it.signIn(ADA.email);
      await browser.send('POST', '/api/auth/sign-out', {});
      await signIn({ ...ADA, password: 'wrong password' });
      await signIn({ email: 'My Secret Passw0rd', password: 'x' });
      await signIn({ email: 'a\0@b', password: 'x' });
      const events = await auditOf(it.database);
      assert.deepEqual(
        events.map(({ actor_kind, actor_name, action, target_type, outcome, ip }) => [
          actor_kind,
          actor_name,
          action,
          target_type,
          outcome,
          ip,
        ]),
        [
          ['user', ADA.email, 'session.sign-in', 'session', 'success', '127.0.0.1'],
          ['user', ADA.email, 'session.sign-out', 'session', 'success', '127.0.0.1'],
          ['anonymous', null, 'session.sign-in', 'user', 'refused', '127.0.0.1'],
          ['anonymous', null, 'session.sign-in', 'user', 'refused', '127.0.0.1'],
          ['anonymous', null, 'session.sign-in', 'user', 'refused', '127.0.0.1'],
        ],
      );
      assert.deepEqual(
        events.slice(2).map(({ target_id }) => target_id),
        [ADA.email, 'unknown', 'a@b'],
      );
      assert.equal(events[0]?.target_id, events[1]?.target_id);
    });
  });
}
