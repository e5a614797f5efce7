import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { registerActor } from '../../src/access/index.ts';
import { createHttpServer } from '../../src/http/index.ts';
import { userCaller } from './callers.ts';

function startApp(t: TestContext) {
  const app = createHttpServer({ basePath: '', trustedProxies: ['10.0.0.0/8'], logLevel: 'silent' });
  registerActor(app, {
    internalSecret: 'secret',
    publicUrl: 'https://berth.example',
    apiKey: () => Promise.resolve(undefined),
    reloadApiKey: () => Promise.resolve(undefined),
    countUnknownKey: () => Promise.resolve(),
    session: () => Promise.resolve(userCaller()),
  });
  app.route({ method: ['GET', 'POST'], url: '/who', handler: ({ actor }) => actor });
  t.after(() => app.close());
  return app;
}

test('sets the caller, client address and request ID on a request', async (t) => {
  const response = await startApp(t).inject({
    url: '/who',
    headers: { 'x-forwarded-for': '192.0.2.1' },
    remoteAddress: '10.0.0.7',
  });
  assert.deepEqual(response.json(), {
    caller: { kind: 'anonymous' },
    ip: '192.0.2.1',
    requestId: response.headers['x-request-id'],
  });
});

test('refuses an unknown key with a problem document before parsing the body', async (t) => {
  const response = await startApp(t).inject({
    method: 'POST',
    url: '/who',
    headers: { 'x-api-key': 'unknown', 'content-type': 'application/json' },
    body: '{',
  });
  assert.deepEqual([response.statusCode, response.json<{ code: string }>().code], [401, 'api_key_invalid']);
});

test('compares the origin with what the proxy forwards, trusted or not, else with the address used', async (t) => {
  const app = startApp(t);
  const statusFrom = async (remoteAddress: string, forwarded: Record<string, string>) => {
    const headers = { cookie: 'session', origin: 'https://registry.example', host: 'inner:8080', ...forwarded };
    return (await app.inject({ method: 'POST', url: '/who', headers, remoteAddress })).statusCode;
  };
  const forwarded = { 'x-forwarded-host': 'registry.example', 'x-forwarded-proto': 'https' };
  for (const proxy of ['10.0.0.7', '192.0.2.9']) {
    assert.equal(await statusFrom(proxy, forwarded), 200);
    assert.equal(await statusFrom(proxy, { ...forwarded, 'x-forwarded-proto': 'http' }), 403);
    assert.equal(await statusFrom(proxy, { ...forwarded, 'x-forwarded-host': 'other.example' }), 403);
    assert.equal(await statusFrom(proxy, {}), 403);
    assert.equal(await statusFrom(proxy, { origin: 'https://berth.example' }), 200);
    assert.equal(await statusFrom(proxy, { origin: 'http://inner:8080' }), 200);
  }
});
