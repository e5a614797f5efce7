import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { freePort } from '../support/free-port.ts';
import { Browser, signInThrough, startTestProvider, type TestProvider } from '../support/openid-provider.ts';
import { readProblem } from '../support/problems.ts';
import { DIALECTS, startTestServer, type TestServer } from '../support/test-server.ts';

const UMA = { sub: 'provider|uma', email: 'Uma@acme.example', email_verified: true, name: 'Uma' };
const HOUR = 3600;

for (const dialect of DIALECTS) {
  describe(`signing in through an OpenID provider, on ${dialect}`, () => {
    let provider: TestProvider;
    let server: TestServer;
    let url: string;
    before(async () => {
      const port = await freePort();
      url = `http://127.0.0.1:${port}`;
      provider = await startTestProvider(url);
      server = await startTestServer({
        dialect,
        signIn: 'local',
        env: {
          PORT: `${port}`,
          PUBLIC_URL: url,
          OIDC_ISSUER: `${provider.issuer}/`,
          OIDC_CLIENT_ID: provider.clientId,
          OIDC_CLIENT_SECRET: provider.clientSecret,
          OIDC_NAME: 'Acme login',
          OIDC_ORGANIZATIONS_CLAIM: 'organizations',
          OIDC_ADMIN_CLAIM: 'groups',
          OIDC_ADMIN_VALUE: 'berth-admins',
        },
      });
    });
    after(async () => {
      await server.close();
      await provider.stop();
    });
    afterEach(() => {
      provider.tamper = undefined;
    });

    const signIn = async (user: TestProvider['user'], browser = new Browser()) => {
      provider.user = user;
      const at = await signInThrough(url, browser);
      return { at, browser };
    };
    const ask = async (browser: Browser, method: string, path: string, body?: unknown) => {
      const response = await browser.request(`${url}/api/v1${path}`, {
        method,
        ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> };
    };
    const session = async (browser: Browser) => (await ask(browser, 'GET', '/session')).body;
    const events = async (query: string) => {
      const { results } = (await (
        await server.api('GET', `/audit-events?size=100&${query}`, { headers: await server.superadmin() })
      ).json()) as {
        results: {
          action: string;
          outcome: string;
          actor: { name?: string };
          target: { id: string };
          details?: Record<string, unknown>;
        }[];
      };
      return results;
    };

    test('is offered by GET /sign-in', async () => {
      assert.deepEqual(await (await server.api('GET', '/sign-in')).json(), {
        mode: 'local',
        canResetPassword: false,
        oidc: { name: 'Acme login' },
      });
    });

    test('creates the user at the first sign-in and recognises them later', async () => {
      const first = await signIn(UMA);
      assert.equal(first.at, `${url}/signed-in`);
      const { user, isAdmin, accounts } = await session(first.browser);
      assert.partialDeepStrictEqual(user, { name: 'Uma', email: 'uma@acme.example' });
      assert.deepEqual([isAdmin, (accounts as object[]).length], [false, 1]);
      const again = await signIn({ ...UMA, name: 'Uma the Second' });
      assert.deepEqual((await session(again.browser))['user'], { ...(user as object), name: 'Uma the Second' });
      const event = (await events('action=session.sign-in')).find(({ actor }) => actor.name === 'Uma the Second');
      assert.equal(event?.outcome, 'success');
    });

    test('applies organisations, roles and superadmin from the claims each time', async () => {
      const claims = { ...UMA, sub: 'provider|ben', email: 'ben@acme.example', name: 'Ben' };
      const choices = async (more: object) => {
        const { browser } = await signIn({ ...claims, ...more });
        const { accounts, isAdmin } = await session(browser);
        return [
          (accounts as { id: string; name: string; role: string }[])
            .slice(1)
            .map(({ id, name, role }) => `${id} (${name}): ${role}`),
          isAdmin,
        ];
      };
      assert.deepEqual(
        await choices({
          organizations: ['acme:admin', { id: 'initech', name: 'Initech Ltd', role: 'user' }, 'not an id', 7],
        }),
        [['initech (Initech Ltd): member', 'acme (acme): admin'], false],
      );
      assert.deepEqual(await choices({ organizations: ['acme', 'globex'], groups: ['staff', 'berth-admins'] }), [
        ['acme (acme): member', 'globex (globex): member'],
        true,
      ]);
      assert.deepEqual(await choices({ groups: 'staff' }), [[], false]);
      const audited = (await events('targetType=organization')).filter(({ details }) => details?.['by'] === 'oidc');
      assert.ok(
        ['organization.create', 'organization.save-member', 'organization.delete-member'].every((action) =>
          audited.some((event) => event.action === action),
        ),
      );
    });

    test('gives a member access to what is shared with the organisation', async () => {
      await server.upload('charts', { format: 'file', file: Buffer.from('charts') });
      await server.api('PATCH', '/artefacts/charts', {
        headers: server.internal,
        body: { privateAccess: [{ type: 'organization', id: 'acme' }] },
      });
      const { browser } = await signIn({ ...UMA, organizations: ['acme'] });
      assert.equal((await ask(browser, 'GET', '/artefacts/charts')).status, 404);
      assert.equal((await ask(browser, 'PUT', '/session/account', { type: 'organization', id: 'acme' })).status, 200);
      assert.equal((await ask(browser, 'GET', '/artefacts/charts')).status, 200);
      await signIn({ ...UMA, organizations: [] });
      assert.equal((await ask(browser, 'GET', '/artefacts/charts')).status, 404);
    });

    test('links to a user that a superadmin created, if the provider verified the address', async () => {
      const { id } = (await (
        await server.api('POST', '/users', {
          headers: await server.superadmin(),
          body: { email: 'linked@acme.example', name: 'Linked', password: 'second mate 2' },
        })
      ).json()) as { id: string };
      const linked = { sub: 'provider|linked', email: 'linked@acme.example', name: 'Linked' };
      const refused = await signIn({ ...linked, email_verified: false });
      assert.match(refused.at, /[?&]error=email_not_verified/);
      assert.equal((await session(refused.browser))['kind'], 'anonymous');
      const { browser } = await signIn({ ...linked, email_verified: true });
      assert.equal(((await session(browser))['user'] as { id: string }).id, id);
    });

    test('is refused with another audience, issuer or nonce, or an expired token', async () => {
      const now = Math.floor(Date.now() / 1000);
      const changes: Record<string, object> = {
        'another audience': { aud: 'somebody-else' },
        'another issuer': { iss: 'https://elsewhere.example' },
        'expired': { iat: now - 2 * HOUR, exp: now - HOUR },
        'another nonce': { nonce: 'replayed' },
      };
      for (const [what, change] of Object.entries(changes)) {
        provider.tamper = (payload) => ({ ...payload, ...change });
        const { at, browser } = await signIn({ ...UMA, sub: 'provider|mallory', email: 'mallory@acme.example' });
        assert.match(at, /[?&]error=/, what);
        assert.equal((await session(browser))['kind'], 'anonymous', what);
      }
      provider.tamper = (payload) => payload;
      assert.equal((await signIn(UMA)).at, `${url}/signed-in`);
      const { results } = (await (
        await server.api('GET', '/users?q=mallory', { headers: await server.superadmin() })
      ).json()) as { results: object[] };
      assert.deepEqual(results, []);
      assert.equal(
        (await events('action=session.sign-in&outcome=refused')).length >= Object.keys(changes).length,
        true,
      );
    });

    test('is refused without the issued state, and for a disabled user', async () => {
      const browser = new Browser();
      const at = await browser.follow(
        `${url}/api/auth/callback/oidc?code=stolen&state=guessed`,
        (to) => to.startsWith(`${url}/`) && !to.includes('/api/auth/callback'),
      );
      assert.match(at, /error=/);
      assert.equal((await session(browser))['kind'], 'anonymous');
      const disabled = { ...UMA, sub: 'provider|disabled', email: 'disabled@acme.example', name: 'Disabled' };
      const { user } = await session((await signIn(disabled)).browser);
      await server.api('PATCH', `/users/${(user as { id: string }).id}`, {
        headers: await server.superadmin(),
        body: { disabled: true },
      });
      const refused = await signIn(disabled);
      assert.match(refused.at, /error=/);
      assert.equal((await session(refused.browser))['kind'], 'anonymous');
    });

    test('signs out here, and at the provider through the returned URL', async () => {
      const { browser } = await signIn(UMA);
      const response = await browser.request(`${url}/api/auth/sign-out`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'origin': url },
        body: JSON.stringify({ callbackURL: '/' }),
      });
      const answer = (await response.json()) as { success: boolean; url?: string };
      assert.equal(answer.success, true);
      assert.equal((await session(browser))['kind'], 'anonymous');
      assert.ok(answer.url?.startsWith(`${provider.issuer}/session/end?`), answer.url);
      await browser.request(answer.url ?? '');
      assert.equal(provider.signedOut, 1);
    });
  });
}

test('incomplete or conflicting provider settings prevent the start', async () => {
  const refused = (env: Record<string, string>, message: RegExp) =>
    assert.rejects(startTestServer({ env }), { name: 'ConfigError', message });
  await refused(
    { OIDC_ISSUER: 'https://login.example.org' },
    /OIDC_ISSUER also requires OIDC_CLIENT_ID, OIDC_CLIENT_SECRET/,
  );
  await refused({ OIDC_CLIENT_ID: 'berth' }, /OIDC_CLIENT_ID also requires OIDC_ISSUER/);
  await refused(
    {
      OIDC_ISSUER: 'https://login.example.org',
      OIDC_CLIENT_ID: 'a',
      OIDC_CLIENT_SECRET: 'b',
      AUTH_MODE: 'simple-directory',
      DIRECTORY_URL: 'https://example.org',
    },
    /requires AUTH_MODE=local/,
  );
});

test('an unavailable provider does not prevent the start: its sign-in answers 503 until it is back', async () => {
  const [port, providerPort] = [await freePort(), await freePort()];
  const url = `http://127.0.0.1:${port}`;
  const server = await startTestServer({
    env: {
      PORT: `${port}`,
      PUBLIC_URL: url,
      OIDC_ISSUER: `http://127.0.0.1:${providerPort}`,
      OIDC_CLIENT_ID: 'berth',
      OIDC_CLIENT_SECRET: 'a secret between the two',
    },
  });
  try {
    const response = await fetch(`${url}/api/auth/sign-in/social`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ provider: 'oidc' }),
    });
    assert.equal(response.headers.get('retry-after'), '10');
    await readProblem(response, 503, 'oidc_unavailable');
    assert.ok((await server.superadmin())['cookie']);
    const provider = await startTestProvider(url, providerPort);
    try {
      provider.user = UMA;
      assert.equal(await signInThrough(url, new Browser()), `${url}/signed-in`);
    } finally {
      await provider.stop();
    }
  } finally {
    await server.close();
  }
});
