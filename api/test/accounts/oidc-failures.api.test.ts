// Every request to the OpenID provider that fails is logged with its address and what the provider answered.

import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, afterEach, before, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import {
  Browser,
  providerSettings,
  signInThrough,
  startTestProvider,
  type TestProvider,
} from '../support/openid-provider.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';

const DISCOVERY = '/.well-known/openid-configuration';
const TOKEN = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJoYXJyaWV0In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ';
const UMA = { sub: 'provider|uma', email: 'uma@acme.example', email_verified: true, name: 'Uma' };

const json =
  (status: number, body: unknown, headers: Record<string, string> = {}) =>
  (response: ServerResponse) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
const closed = (response: ServerResponse) => {
  response.socket?.destroy();
};

describe('a failed sign-in through an OpenID provider is logged', () => {
  let provider: TestProvider;
  let server: TestServer;
  let url: string;
  const start = async (env: (of: TestProvider) => Record<string, string> = () => ({})) => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    provider = await startTestProvider(url);
    provider.user = UMA;
    server = await startTestServer({
      signIn: 'local',
      env: { PORT: `${port}`, PUBLIC_URL: url, ...providerSettings(provider), ...env(provider) },
    });
  };
  const stop = async () => {
    await server.close();
    await provider.stop();
  };
  const messages = (level: number) =>
    server.logs
      .map((line) => JSON.parse(line) as { level: number; msg: string })
      .filter((line) => line.level === level)
      .map(({ msg }) => msg);
  const assertWarned = (expected: string) =>
    eventually(() => {
      const warning = messages(40).at(-1) ?? '';
      assert.match(warning, /^a sign-in through the OpenID provider failed: [^\p{C}]{1,1500}$/u);
      assert.ok(warning.includes(expected), warning);
      const all = server.logs.join('');
      assert.ok(!all.includes(TOKEN) && !all.includes(provider.clientSecret), all);
      return Promise.resolve();
    });
  const begin = () =>
    fetch(`${url}/api/auth/sign-in/social`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'origin': url },
      body: JSON.stringify({ provider: 'oidc', callbackURL: '/' }),
    });

  describe('when its configuration', () => {
    before(() => start());
    after(stop);
    afterEach(() => {
      provider.answers.clear();
    });
    for (const [what, answer, expected] of [
      ['is not there', json(404, { error: 'not_found' }), 'answered 404'],
      ['is broken', json(500, {}), 'answered 500'],
      ['does not come', closed, 'failed: '],
      ['is empty', json(200, {}), 'no usable authorization endpoint'],
    ] as const)
      test(what, async () => {
        provider.answers.set(DISCOVERY, answer);
        assert.equal((await begin()).status, 503);
        await assertWarned(
          answer === closed || expected.startsWith('a') ? `GET ${provider.issuer}${DISCOVERY} ${expected}` : expected,
        );
      });

    test('is back, the next sign-in succeeds', async () => {
      assert.equal(await signInThrough(url, new Browser()), `${url}/signed-in`);
    });
  });

  describe('when a request of the callback fails:', () => {
    before(() => start());
    after(stop);
    afterEach(() => {
      provider.answers.clear();
      provider.tamper = undefined;
    });
    const description = `The token ${TOKEN} is not valid\n${'x '.repeat(2000)}`;
    const answers = {
      'a refusal with a reason': json(401, { error: 'invalid_client', error_description: description }),
      'a refusal with a challenge': json(
        401,
        {},
        {
          'www-authenticate': `Bearer realm="x", error="invalid_token", error_description="expired ${TOKEN}"`,
        },
      ),
      'an outage': json(503, { message: 'maintenance' }),
      'a page': (response: ServerResponse) => response.writeHead(404, { 'content-type': 'text/html' }).end('<html>'),
      'a closed connection': closed,
    };
    for (const [path, method, code] of [
      ['/token', 'POST', 'invalid_code'],
      ['/jwks', 'GET', 'unable_to_get_user_info'],
      ['/me', 'GET', 'unable_to_get_user_info'],
    ] as const)
      for (const [what, answer] of Object.entries(answers))
        test(`${what} at ${path}`, async () => {
          // Without an address in the ID token, it is asked for at /me.
          if (path === '/me') provider.tamper = ({ email: _, ...payload }) => payload;
          provider.answers.set(path, answer);
          assert.equal(await signInThrough(url, new Browser()), `${url}/sign-in?error=${code}`);
          await assertWarned(
            `${method} ${provider.issuer}${path} ${what === 'a closed connection' ? 'failed: ' : 'answered '}`,
          );
          if (what === 'a refusal with a reason' && path === '/token')
            await assertWarned('401 invalid_client The token *** is not valid x');
          if (what === 'a refusal with a challenge') await assertWarned('answered 401 (invalid_token: expired ***)');
        });

    test('the provider itself refuses', async () => {
      const browser = new Browser();
      const { url: first } = (await (
        await browser.request(`${url}/api/auth/sign-in/social`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'origin': url },
          body: JSON.stringify({ provider: 'oidc', callbackURL: `${url}/signed-in` }),
        })
      ).json()) as { url: string };
      const query = new URLSearchParams({
        state: new URL(first).searchParams.get('state') ?? '',
        error: 'unauthorized_client',
        error_description: `Not ${TOKEN} for\u202e you`,
      });
      const response = await browser.request(`${url}/api/auth/callback/oidc?${query.toString()}`);
      assert.match(response.headers.get('location') ?? '', /\/sign-in\?error=unauthorized_client&/);
      await assertWarned('the provider answered unauthorized_client (Not *** for you)');
    });
  });

  describe('not when', () => {
    afterEach(stop);

    test('OIDC_ISSUER is the address of the whole configuration', async () => {
      await start(({ issuer }) => ({ OIDC_ISSUER: `${issuer}${DISCOVERY}` }));
      assert.equal(await signInThrough(url, new Browser()), `${url}/signed-in`);
      assert.deepEqual(messages(40), []);
    });

    test('groups are passed over, which is logged as information', async () => {
      await start(() => ({ OIDC_ORGANIZATIONS_CLAIM: 'groups', LOG_LEVEL: 'info' }));
      for (const [groups, expected] of [
        [['/acme', '/acme/team', 'Not An Id', 7], 'are passed over: "/acme/team", "Not An Id", number'],
        [Array.from({ length: 12 }, (_, index) => `/a/${index}`), 'and 2 more'],
        [[`/a/${'x'.repeat(5000)}\n`], '"/a/xxx'],
        [undefined, 'has no claim groups'],
      ] as const) {
        provider.user = { ...UMA, groups };
        const browser = new Browser();
        assert.equal(await signInThrough(url, browser), `${url}/signed-in`);
        await eventually(() => {
          const line = messages(30).findLast((message) => message !== 'request') ?? '';
          assert.ok(line.includes(expected) && line.length < 2000, line);
          return Promise.resolve();
        });
        const session = await fetch(`${url}/api/v1/session`, { headers: { cookie: browser.cookiesFor(url) } });
        const text = await session.text();
        assert.equal(text.includes('"acme"'), groups?.[0] === '/acme', text);
      }
    });
  });
});
