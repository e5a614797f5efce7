import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { generateKeyPair } from 'jose';
import { startTestDirectory, toHeaders, type TestDirectory } from '../support/directory.ts';
import { assertNoLeak } from '../support/problems.ts';
import { startTestServer, type TestServer } from '../support/test-server.ts';

const UMA = { id: 'uma', name: 'Uma', email: 'uma@acme.example' };

test('session tokens must name the issuer and the audience of the settings', async () => {
  const directory = await startTestDirectory();
  const server = await startTestServer({
    env: {
      AUTH_MODE: 'simple-directory',
      DIRECTORY_URL: directory.url,
      DIRECTORY_TOKEN_ISSUER: 'https://example.org/directory',
      DIRECTORY_TOKEN_AUDIENCE: 'berth',
    },
  });
  const claims = { iss: 'https://example.org/directory', aud: 'berth' };
  for (const [changed, status] of [
    [{}, 200],
    [{ iss: undefined }, 401],
    [{ aud: 'another service' }, 401],
  ] as const) {
    const headers = toHeaders(await directory.sign(UMA, { claims: { ...claims, ...changed } }));
    const response = await server.api('GET', '/session', { headers });
    assert.equal(response.status, status);
    if (status === 401) assert.equal(((await response.json()) as { code: string }).code, 'session_invalid');
  }
  await server.close();
  await directory.stop();
});

describe('the keys of the identity service', () => {
  let directory: TestDirectory;
  let server: TestServer;
  before(async () => {
    directory = await startTestDirectory();
    server = await startTestServer({ env: { AUTH_MODE: 'simple-directory', DIRECTORY_URL: directory.url } });
  });
  after(async () => {
    await server.close();
    await directory.stop();
  });
  const ask = async (headers: Record<string, string>) => {
    const response = await server.api('GET', '/session', { headers });
    const text = await response.text();
    assertNoLeak(text);
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      setCookie: response.headers.getSetCookie(),
      ...(JSON.parse(text) as { kind?: string; code?: string }),
    };
  };

  test('cannot be fetched: 503, and the cookies stay', async () => {
    directory.away = true;
    const { status, code, retryAfter, setCookie } = await ask(await directory.cookies(UMA));
    assert.deepEqual([status, code, retryAfter, setCookie], [503, 'directory_unavailable', '5', []]);
    assert.equal((await ask({})).kind, 'anonymous');
    assert.equal((await server.api('GET', '/artefacts', { headers: server.internal })).status, 200);
    directory.away = false;
    assert.equal((await ask(await directory.cookies(UMA))).kind, 'user');
  });

  test('are fetched once, and not again for each unknown key', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    const before = directory.requestCount;
    for (let number = 0; number < 5; number++) {
      assert.equal((await ask(await directory.cookies({ ...UMA, id: `user-${number}` }))).kind, 'user');
      assert.equal(
        (await ask(toHeaders(await directory.sign(UMA, { key: privateKey, kid: `bad-${number}` })))).code,
        'session_invalid',
      );
    }
    assert.equal(directory.requestCount, before);
  });

  test('are cached while it is unavailable', async () => {
    directory.away = true;
    assert.equal((await ask(await directory.cookies({ ...UMA, id: 'another' }))).kind, 'user');
    directory.away = false;
  });
});
