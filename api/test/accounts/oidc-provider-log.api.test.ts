import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { Browser, providerSettings, signInThrough, startTestProvider } from '../support/openid-provider.ts';
import { startTestServer } from '../support/test-server.ts';

const UMA = { sub: 'provider|uma', email: 'uma@acme.example', email_verified: true, name: 'Uma' };
const WARNING = 40;

const warningsIn = (logs: string[]) =>
  logs
    .map((line) => JSON.parse(line) as { level: number; msg: string; requestId?: string })
    .filter(({ level }) => level === WARNING);

test('a provider without a configuration at the issuer is logged', async () => {
  const provider = await startTestProvider('http://localhost');
  const server = await startTestServer({
    signIn: 'local',
    env: { ...providerSettings(provider), OIDC_ISSUER: `${provider.issuer}/nowhere` },
  });
  try {
    const response = await fetch(`${server.url}/api/auth/sign-in/social`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ provider: 'oidc', callbackURL: '/' }),
    });
    assert.equal(response.status, 503);
    await eventually(() => {
      assert.match(warningsIn(server.logs).at(-1)?.msg ?? '', /discovery left no usable authorization endpoint/);
      return Promise.resolve();
    });
  } finally {
    await server.close();
    await provider.stop();
  }
});

test('a refusal of the token endpoint is logged with what the provider said, without the secret', async () => {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const provider = await startTestProvider(url);
  const secret = 'not-the-secret-between-the-two';
  const server = await startTestServer({
    signIn: 'local',
    env: { PORT: `${port}`, PUBLIC_URL: url, ...providerSettings(provider), OIDC_CLIENT_SECRET: secret },
  });
  try {
    provider.user = UMA;
    assert.match(await signInThrough(url, new Browser()), /\?error=invalid_code$/);
    await eventually(() => {
      const warnings = warningsIn(server.logs);
      assert.equal(warnings.length, 1, server.logs.join(''));
      assert.match(warnings[0]?.msg ?? '', /OpenID provider failed: .*authorization code.*401.*invalid_client/);
      assert.ok(warnings[0]?.requestId);
      return Promise.resolve();
    });
    assert.ok(!server.logs.join('').includes(secret));
  } finally {
    await server.close();
    await provider.stop();
  }
});
