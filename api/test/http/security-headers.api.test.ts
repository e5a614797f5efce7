import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startTestServer, type TestServer } from '../support/test-server.ts';

describe('response headers tell browsers', () => {
  let plain: TestServer;
  let secure: TestServer;
  before(async () => {
    plain = await startTestServer();
    secure = await startTestServer({
      env: { PUBLIC_URL: 'https://example.org/registry', TRUSTED_PROXIES: 'loopback' },
    });
  });
  after(async () => {
    await plain.close();
    await secure.close();
  });

  const headersOf = async (server: TestServer, path: string, init: RequestInit = {}) => {
    const response = await fetch(`${server.url}${path}`, init);
    await response.arrayBuffer();
    return response.headers;
  };

  test('not to guess content types, on every response', async () => {
    for (const path of [
      '/',
      '/api/ping',
      '/api/v1/artefacts',
      '/api/v1/nothing',
      '/nothing',
      '/api-docs/',
      '/metrics',
    ]) {
      assert.equal((await headersOf(plain, path)).get('x-content-type-options'), 'nosniff', path);
    }
  });

  test('not to run or embed API responses', async () => {
    for (const path of ['/api/v1/artefacts', '/api/v1/artefacts/none', '/api/v1/session', '/api/auth/get-session']) {
      const headers = await headersOf(plain, path);
      assert.deepEqual(
        [headers.get('content-security-policy'), headers.get('referrer-policy')],
        ["default-src 'none'; frame-ancestors 'none'", 'no-referrer'],
        path,
      );
    }
    assert.notEqual(
      (await headersOf(plain, '/')).get('content-security-policy'),
      "default-src 'none'; frame-ancestors 'none'",
    );
  });

  test('to use only https, if PUBLIC_URL is https', async () => {
    assert.equal((await headersOf(secure, '/registry/api/ping')).get('strict-transport-security'), 'max-age=31536000');
    assert.equal((await headersOf(plain, '/api/ping')).get('strict-transport-security'), null);
  });

  test('to protect session cookies: https only, hidden from scripts and other sites', async () => {
    const response = await fetch(`${secure.url}/registry/api/auth/sign-in/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'example.org' },
      body: JSON.stringify({ email: 'admin@example.org', password: 'correct horse battery' }),
    });
    assert.equal(response.status, 200, await response.text());
    const cookies = response.headers.getSetCookie();
    assert.ok(cookies.length > 0);
    for (const cookie of cookies)
      for (const flag of [/^__Secure-/, /; Secure/i, /; HttpOnly/i, /; SameSite=Lax/i, /; Path=\/registry/i])
        assert.match(cookie, flag);
  });
});
