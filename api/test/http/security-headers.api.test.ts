import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openConnection, requestHead } from '../support/raw-http.ts';
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

  test('the same on every failure and redirect, whichever layer answers', async () => {
    const raw = async (server: TestServer, request: string) => {
      const connection = await openConnection(server.url);
      await connection.send(request);
      const answer = await connection.answer();
      connection.end();
      return answer;
    };
    const prefixes = [
      '',
      '/api',
      '/api/v1',
      '/api/v1/artefacts',
      '/api-docs',
      '/clients',
      '/assets',
      '/metrics',
      '/registry',
    ];
    const requests = [
      // Of the router: paths that cannot be decoded.
      ...prefixes.flatMap((prefix) =>
        ['%zz', '%', '%c3%28', 'a%2'].map((end) => requestHead('GET', `${prefix}/${end}`)),
      ),
      // Of the parser: no HTTP at all, headers that are malformed or too large.
      'nonsense\r\n\r\n',
      'GET /api/ping HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n',
      requestHead('GET', '/api/ping', { 'x-large': 'x'.repeat(20_000) }),
      requestHead('POST', '/api/v1/api-keys', { 'content-length': '1', 'transfer-encoding': 'chunked' }),
      // Of hooks, routes and handlers: unknown paths and methods, refusals, bodies, redirects.
      ...prefixes.flatMap((prefix) =>
        ['GET', 'POST', 'DELETE'].map((method) => requestHead(method, `${prefix}/nowhere`)),
      ),
      requestHead('GET', `/api/v1/artefacts/${'x'.repeat(2000)}`),
      requestHead('GET', '/api/v1/artefacts?category=none'),
      requestHead('GET', '/api/v1/artefacts', { 'x-secret-key': 'wrong' }),
      requestHead('GET', '/api/v1/artefacts', { 'x-api-key': 'wrong' }),
      requestHead('POST', '/api/v1/users'),
      requestHead('POST', '/api/auth/sign-in/email', {
        'content-type': 'application/json',
        'content-length': 100_000,
      }),
      requestHead('POST', '/api/auth/sign-in/email', { 'content-type': 'a/b', 'content-length': 1 }),
      requestHead('GET', '/registry'),
      requestHead('GET', '/clients/cli.tgz'),
      requestHead('TRACE', '/api/v1/artefacts'),
    ];
    const statuses = new Set<number>();
    for (const request of requests) {
      const { status, headers } = await raw(secure, request);
      statuses.add(status);
      const what = `${status} ${request.slice(0, 60)}`;
      assert.ok(status >= 300, what);
      assert.deepEqual(
        ['x-content-type-options', 'strict-transport-security', 'referrer-policy'].map((name) => headers[name]),
        ['nosniff', 'max-age=31536000', 'no-referrer'],
        what,
      );
      assert.match(headers['content-security-policy'] ?? '', /^default-src '(none|self)'; /, what);
    }
    for (const status of [302, 308, 400, 401, 404, 413, 415, 431]) assert.ok(statuses.has(status), `${status}`);
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
