// More sign-ins at once than passwords can be checked soon: some wait, the others are told to try again, and nothing
// of that counts as a wrong password.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../support/eventually.ts';
import { FAST_PASSWORDS } from '../support/fast-passwords.ts';
import { DIALECTS } from '../support/test-server.ts';
import { ADMIN, createAccountsApp, createUser, PASSWORD, type AccountsApp, type Browser } from './accounts-app.ts';

/** Passwords checked at once, and waiting. */
const ACCEPTED = 2 + 50;
const REFUSED = 30;
/** Wrong passwords after which an address is blocked. */
const MAX_FAILURES = 20;

for (const dialect of DIALECTS) {
  describe(`many sign-ins at once, on ${dialect}`, () => {
    let it: AccountsApp;
    let admin: Browser;
    let checking = 0;
    let most = 0;
    /** Passwords are checked once it resolves. */
    let opened = Promise.resolve();

    /** Hashes that wait, as if the machine were slow. */
    const slowly = async <T>(work: () => Promise<T>): Promise<T> => {
      most = Math.max(most, ++checking);
      await opened;
      return work().finally(() => checking--);
    };

    before(async () => {
      it = await createAccountsApp(dialect, {
        passwords: {
          hash: (password) => slowly(() => FAST_PASSWORDS.hash(password)),
          verify: (password, hash) => slowly(() => FAST_PASSWORDS.verify(password, hash)),
        },
      });
      admin = await it.admin();
      await createUser(admin, 'una@example.org');
    });
    after(() => it.close());

    const attempt = async (email: string, password: string) => {
      const { statusCode, headers, body } = await it.app.inject({
        method: 'POST',
        url: '/api/auth/sign-in/email',
        payload: { email, password },
      });
      const { code } = JSON.parse(body) as { code?: string };
      return `${statusCode} ${code ?? ''} ${headers['retry-after'] ?? ''}`.trim();
    };

    test('two are checked, fifty wait, and the others are refused for a moment', async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      opened = promise;
      most = 0;
      const answers: string[] = [];
      const attempts = Array.from({ length: ACCEPTED + REFUSED }, async (_value, index) => {
        answers.push(await attempt(`nobody-${index}@example.org`, 'wrong password'));
      });
      await eventually(async () => {
        assert.deepEqual([checking, answers.length], [2, REFUSED]);
      });
      for (let count = 0; count <= MAX_FAILURES; count++)
        assert.equal(await attempt('una@example.org', PASSWORD), '503 sign_in_busy 3');
      assert.equal((await admin.get('/users')).status, 200);
      resolve();
      await Promise.all(attempts);
      assert.deepEqual(answers.sort(), [
        ...Array<string>(ACCEPTED).fill('401 INVALID_EMAIL_OR_PASSWORD'),
        ...Array<string>(REFUSED).fill('503 sign_in_busy 3'),
      ]);
      assert.equal(await attempt('una@example.org', PASSWORD), '200');
      assert.equal(most, 2);
    });

    test('other passwords are refused in the same way, and a right one is accepted afterwards', async () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      opened = promise;
      let refused = 0;
      const waiting = Array.from({ length: ACCEPTED + 1 }, async (_value, index) => {
        if ((await attempt(`n-${index}@example.org`, 'wrong')).startsWith('503')) refused++;
      });
      await eventually(async () => assert.equal(refused, 1));
      const user = { email: 'uma@example.org', name: 'Uma', password: PASSWORD };
      const { status, body } = await admin.send('POST', '/users', user);
      assert.deepEqual([status, body['code']], [503, 'sign_in_busy']);
      resolve();
      await Promise.all(waiting);
      await createUser(admin, 'uma@example.org');
      assert.equal(await attempt('uma@example.org', PASSWORD), '200');
      assert.equal(await attempt(ADMIN.email, ADMIN.password), '200');
    });
  });
}
