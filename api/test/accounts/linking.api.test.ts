// Links between users and an OpenID provider under concurrency, from older versions, and as superadmins manage them.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { PasswordHashing } from '../../src/accounts/index.ts';
import { FAST_PASSWORDS } from '../support/fast-passwords.ts';
import { freePort } from '../support/free-port.ts';
import {
  Browser as ProviderBrowser,
  signInThrough,
  startTestProvider,
  type ProviderUser,
  type TestProvider,
} from '../support/openid-provider.ts';
import { DIALECTS } from '../support/test-database.ts';
import {
  auditOf,
  createAccountsApp,
  createBrowser,
  createUser,
  PASSWORD,
  type AccountsApp,
  type Browser,
} from './accounts-app.ts';

for (const dialect of DIALECTS) {
  describe(`links to an OpenID provider, on ${dialect}`, () => {
    let it: AccountsApp;
    let url: string;
    let provider: TestProvider;
    let admin: Browser;
    /** While set, called once a password was found to be right. */
    let whenVerified: (() => Promise<void>) | undefined;
    const passwords: PasswordHashing = {
      hash: (password) => FAST_PASSWORDS.hash(password),
      async verify(password, hash) {
        const matches = await FAST_PASSWORDS.verify(password, hash);
        await whenVerified?.();
        return matches;
      },
    };
    before(async () => {
      const port = await freePort();
      url = `http://127.0.0.1:${port}`;
      provider = await startTestProvider(url);
      const { issuer, clientId, clientSecret } = provider;
      it = await createAccountsApp(dialect, {
        publicUrl: url,
        passwords,
        oidc: { issuer, clientId, clientSecret, scopes: ['openid', 'profile', 'email'], name: 'Login', claims: {} },
      });
      await it.app.listen({ port, host: '127.0.0.1' });
      admin = await it.admin();
    });
    after(async () => {
      await it.close();
      await provider.stop();
    });

    const come = async (user: ProviderUser) => {
      provider.user = { email_verified: true, ...user };
      const browser = new ProviderBrowser();
      const at = await signInThrough(url, browser);
      const { user: signedIn } = (await (await browser.request(`${url}/api/v1/session`)).json()) as {
        user?: { id: string };
      };
      return { id: signedIn?.id, error: new URL(at).searchParams.get('error') };
    };
    const userOf = async (id: string) => (await admin.get(`/users/${id}`)).body;
    const identitiesOf = async (id: string) =>
      (
        await it.database.db
          .selectFrom('account')
          .select('accountId')
          .where('userId', '=', id)
          .where('providerId', '=', 'oidc')
          .execute()
      ).map(({ accountId }) => accountId);
    /** Makes an identity look as before issuers were stored. */
    const forgetIssuer = async (id: string, subject: string) => {
      await it.database.db
        .updateTable('account')
        .set({ accountId: `unknown ${subject}` })
        .where('userId', '=', id)
        .where('providerId', '=', 'oidc')
        .execute();
    };
    /** Makes a call while something else happens after its password was found to be right. */
    const callDuring = async (browser: Browser, path: string, body: object, work: () => Promise<unknown>) => {
      whenVerified = async () => {
        whenVerified = undefined;
        await work();
      };
      const answer = await browser.send('POST', `/api/auth/${path}`, body);
      return [answer.status, answer.body['code'], (await browser.get('/session')).body['kind']];
    };
    const ENDED = [401, 'session_invalid', 'anonymous'];

    for (const [path, body] of [
      ['sign-in/email', {}],
      ['change-password', { currentPassword: PASSWORD, newPassword: 'another password', revokeOtherSessions: true }],
      ['two-factor/disable', {}],
    ] as const)
      test(`no session of ${path} with the password of somebody else outlives the link`, async () => {
        const sub = path.replace('/', '-');
        const email = `${sub}@acme.example`;
        const id = await createUser(admin, email);
        await admin.send('PATCH', `/users/${id}`, { emailVerified: false });
        const browser = path === 'sign-in/email' ? createBrowser(it.app) : await it.signIn(email);
        const result = await callDuring(browser, path, { email, password: PASSWORD, ...body }, async () => {
          assert.equal((await come({ sub, email })).id, id);
        });
        assert.deepEqual(result, ENDED);
        await assert.rejects(it.signIn(email, 'another password'));
      });

    test('a sign-in does not outlive the password that it was made with', async () => {
      const email = 'replaced@acme.example';
      const id = await createUser(admin, email);
      const result = await callDuring(createBrowser(it.app), 'sign-in/email', { email, password: PASSWORD }, () =>
        admin.send('PATCH', `/users/${id}`, { password: 'another password' }),
      );
      assert.deepEqual(result, ENDED);
      await it.signIn(email, 'another password');
    });

    test('of several people who come with one address at once, one is linked', async () => {
      await createUser(admin, 'wanted@initech.example');
      for (const address of ['wanted@acme.example', 'wanted@initech.example']) {
        const callbacks = [];
        for (const sub of ['a', 'b', 'c', 'a']) {
          provider.user = { sub: `${sub} of ${address}`, email: address, email_verified: true };
          const browser = new ProviderBrowser();
          const { url: first } = (await (
            await browser.request(`${url}/api/auth/sign-in/social`, {
              method: 'POST',
              headers: { 'content-type': 'application/json' },
              body: JSON.stringify({ provider: 'oidc', callbackURL: `${url}/signed-in` }),
            })
          ).json()) as { url: string };
          const callback = await browser.follow(first, (at) => at.startsWith(`${url}/api/auth/callback/`));
          callbacks.push({ browser, callback });
        }
        const ends = await Promise.all(
          callbacks.map(async ({ browser, callback }) => {
            const { status, headers } = await browser.request(callback);
            return [status, new URL(headers.get('location') ?? '', url).searchParams.get('error')];
          }),
        );
        assert.ok(
          ends.every(([status, error]) => status === 302 && (error === null || error === 'another_subject')),
          JSON.stringify(ends),
        );
        const users = (await admin.get(`/users?q=${address}`)).body['results'] as { id: string }[];
        assert.equal(users.length, 1);
        assert.equal((await identitiesOf(users[0]?.id ?? '')).length, 1);
        assert.ok(ends.some(([, error]) => error === null));
      }
    });

    test('from before issuers were stored are renewed by the verified address, and only by it', async () => {
      const email = 'early@acme.example';
      const { id = '' } = await come({ sub: 'early', email });
      await forgetIssuer(id, 'early');
      assert.equal((await come({ sub: 'early', email, email_verified: false })).error, 'email_not_verified');
      assert.equal((await come({ sub: 'late', email })).error, 'another_subject');
      assert.equal((await come({ sub: 'early', email })).id, id);
      assert.deepEqual(await identitiesOf(id), [`${provider.issuer} early`]);
      assert.equal((await come({ sub: 'early', email, email_verified: false })).id, id);
    });

    test('can be undone by a superadmin, so that another account at the provider is linked', async () => {
      const email = 'moved@acme.example';
      const { id = '' } = await come({ sub: 'moved-1', email });
      assert.equal((await userOf(id))['linked'], true);
      assert.equal((await come({ sub: 'moved-2', email })).error, 'another_subject');
      assert.equal((await admin.send('DELETE', `/users/${id}/provider-link`)).status, 204);
      assert.equal((await userOf(id))['linked'], false);
      assert.equal((await come({ sub: 'moved-2', email })).id, id);
      assert.equal((await come({ sub: 'moved-1', email })).error, 'another_subject');
    });

    test('keep the tokens of the provider away from the database, but for the one that ends its session', async () => {
      const { id = '' } = await come({ sub: 'thrifty', email: 'thrifty@acme.example' });
      const [row] = await it.database.db.selectFrom('account').selectAll().where('userId', '=', id).execute();
      assert.deepEqual([row?.accessToken, row?.refreshToken, typeof row?.idToken], [null, null, 'string']);
    });

    test('are audited, with what was removed', async () => {
      const email = 'audited@acme.example';
      const id = await createUser(admin, email);
      await admin.send('PATCH', `/users/${id}`, { emailVerified: false });
      await come({ sub: 'audited', email });
      await come({ sub: 'audited', email: 'audited-2@acme.example', name: 'Audited' });
      await admin.send('DELETE', `/users/${id}/provider-link`);
      const events = (await auditOf(it.database)).filter(({ target_id }) => target_id === id);
      const identity = `${provider.issuer} audited`;
      assert.deepEqual(
        events.map(({ action, actor_kind, details }) => [action, actor_kind, JSON.parse(details ?? '{}') as object]),
        [
          ['user.create', 'user', { email, isAdmin: false }],
          ['user.update', 'user', { emailVerified: false }],
          ['user.link', 'anonymous', { email, identity, removed: ['password'] }],
          ['user.update', 'anonymous', { name: 'Audited', email: 'audited-2@acme.example', by: 'oidc' }],
          ['user.unlink', 'user', {}],
        ],
      );
    });
  });
}
