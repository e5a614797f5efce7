// Sign-ins that fail, and users who may do less than they expect.

import assert from 'node:assert/strict';
import { eventually } from '../../../api/test/support/eventually.ts';
import { freePort } from '../../../api/test/support/free-port.ts';
import {
  Browser,
  providerSettings,
  signInThrough,
  startTestProvider,
  type TestProvider,
} from '../../../api/test/support/openid-provider.ts';
import { ADMIN_EMAIL } from '../../../api/test/support/test-server.ts';
import type { Situations, Stage } from './stage.ts';

const WRONG_PASSWORDS_ALLOWED = 30;

/** Signs in with a mistake in the settings. @returns the registry's log and the address in the browser */
async function signInWith(stage: Stage, mistake: (provider: TestProvider) => Record<string, string>): Promise<string> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const provider = await startTestProvider(url);
  stage.atEnd(() => provider.stop());
  const registry = await stage.start({
    env: { PORT: `${port}`, PUBLIC_URL: url, ...providerSettings(provider), ...mistake(provider) },
  });
  const browser = new Browser();
  const end = await signInThrough(url, browser).catch((error: unknown) => String(error));
  await eventually(() => {
    assert.ok(registry.logs.some((line) => line.includes('OpenID')));
    return Promise.resolve();
  });
  return stage
    .withExampleNames(`${registry.logs.join('')}${end}`)
    .replaceAll(provider.issuer, 'https://login.example.org');
}

export const SIGN_IN: Situations = {
  'Too many wrong passwords': async (stage) => {
    const registry = await stage.start();
    let answer = new Response();
    for (let attempt = 0; attempt < WRONG_PASSWORDS_ALLOWED && answer.status !== 429; attempt++)
      answer = await fetch(`${registry.url}/api/auth/sign-in/email`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email: ADMIN_EMAIL, password: 'a wrong pass phrase' }),
      });
    return stage.answer(answer);
  },

  'The secret of the OpenID client is wrong': (stage) =>
    signInWith(stage, () => ({ OIDC_CLIENT_SECRET: 'another secret' })),

  'The address of the OpenID provider is wrong': (stage) =>
    signInWith(stage, ({ issuer }) => ({ OIDC_ISSUER: `${issuer}/wrong` })),
};
