import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { AUTH_CALLS, OIDC_CALLS, type AuthCall } from '../../src/accounts/auth/calls.ts';
import { DIALECTS } from '../support/test-database.ts';
import { codeOf } from '../support/totp.ts';
import {
  createAccountsApp,
  createBrowser,
  createUser,
  PASSWORD,
  type AccountsApp,
  type Browser,
} from './accounts-app.ts';

const FAILURES_OF_ACCOUNT = 20;
const NEW_PASSWORD = 'third mate 3';

const fieldsOf = ({ body }: AuthCall) => Object.keys(body?.properties ?? {});

test('every call that takes a password or a code of a user counts its failures', () => {
  for (const call of [...AUTH_CALLS, ...OIDC_CALLS]) {
    const takesGuess = fieldsOf(call).some((name) => ['password', 'currentPassword', 'code'].includes(name));
    assert.equal(call.guesses !== undefined, takesGuess, call.path);
  }
});

for (const dialect of DIALECTS) {
  describe(`guesses of the password or code of a signed-in user, on ${dialect}`, () => {
    let it: AccountsApp;
    let admin: Browser;
    before(async () => {
      it = await createAccountsApp(dialect);
      admin = await it.admin();
    });
    after(() => it.close());
    beforeEach(async () => {
      await it.database.db.deleteFrom('failed_attempts').execute();
    });

    let count = 0;
    /** Sends a call from a new address each time, so that only the limit of the account applies. */
    const send = async (browser: Browser, path: string, body: object) => {
      count++;
      const { status, body: answer } = await browser.send('POST', `/api/auth${path}`, body, {
        'x-forwarded-for': `10.${count >> 16}.${(count >> 8) & 255}.${count & 255}`,
      });
      return { status, body: answer };
    };
    /** Sets the counter of the only account that has failures. */
    const continueFrom = async (failures: number) => {
      const { numUpdatedRows } = await it.database.db
        .updateTable('failed_attempts')
        .set({ count: failures })
        .where('subject', 'like', 'account-check:%')
        .executeTakeFirst();
      assert.equal(numUpdatedRows, 1n);
    };
    const enable = async (browser: Browser) => {
      const { body } = await send(browser, '/two-factor/enable', { password: PASSWORD });
      const secret = new URL(body['totpURI'] as string).searchParams.get('secret') ?? '';
      return { secret, codes: body['backupCodes'] as string[] };
    };

    const bodyOf = (call: AuthCall, guess: { password: string; code: string }): Record<string, string> => {
      const values: Record<string, string> = {
        password: guess.password,
        currentPassword: guess.password,
        newPassword: NEW_PASSWORD,
        code: guess.code,
      };
      return Object.fromEntries(
        fieldsOf(call).flatMap((name) => (name in values ? [[name, values[name] ?? '']] : [])),
      );
    };

    for (const call of AUTH_CALLS.filter(({ guesses }) => guesses === 'user'))
      test(`are limited at ${call.path}, and then the right one is refused, too`, async () => {
        const email = `user${count}@example.org`;
        await createUser(admin, email);
        const browser = await it.signIn(email);
        const { secret, codes } =
          call.path === '/two-factor/enable' ? { secret: '', codes: [''] } : await enable(browser);
        if (secret !== '' && call.path !== '/two-factor/verify-totp')
          assert.equal((await send(browser, '/two-factor/verify-totp', { code: codeOf(secret) })).status, 200);
        const wrong = bodyOf(call, { password: 'wrong password', code: '00000x' });
        const assertRefused = async () => {
          const { status, body } = await send(browser, call.path, wrong);
          assert.ok([400, 401].includes(status), `${status} ${JSON.stringify(body)}`);
        };
        await assertRefused();
        await continueFrom(FAILURES_OF_ACCOUNT - 2);
        for (let guess = 0; guess < 2; guess++) await assertRefused();
        const right = bodyOf(call, {
          password: PASSWORD,
          code: call.path === '/two-factor/verify-totp' ? codeOf(secret) : (codes[0] ?? ''),
        });
        for (const body of [wrong, right])
          assert.deepEqual((await send(browser, call.path, body)).body['code'], 'too_many_attempts');
        // Of another account, and of the same one at sign-in, they are counted apart.
        const signsIn = await createBrowser(it.app).send('POST', '/api/auth/sign-in/email', {
          email,
          password: PASSWORD,
        });
        assert.equal(signsIn.status, 200, JSON.stringify(signsIn.body));
        await it.database.db.deleteFrom('failed_attempts').execute();
        assert.equal((await send(browser, call.path, right)).status, 200);
      });

    test('count across calls, and start over after a success', async () => {
      await createUser(admin, 'mixed@example.org');
      const browser = await it.signIn('mixed@example.org');
      const guess = async (index: number) =>
        (
          await (index % 2 === 0
            ? send(browser, '/two-factor/enable', { password: 'wrong password' })
            : send(browser, '/change-password', { currentPassword: 'wrong password', newPassword: NEW_PASSWORD }))
        ).status;
      assert.equal(await guess(0), 400);
      await continueFrom(FAILURES_OF_ACCOUNT - 1);
      assert.equal((await send(browser, '/two-factor/enable', { password: PASSWORD })).status, 200);
      for (let index = 0; index < FAILURES_OF_ACCOUNT; index++) assert.equal(await guess(index), 400);
      assert.equal(await guess(0), 429);
    });

    test('of codes at sign-in are limited per account, whichever sign-in they belong to', async () => {
      await createUser(admin, 'coded@example.org');
      const { secret } = await (async () => {
        const browser = await it.signIn('coded@example.org');
        const enrolled = await enable(browser);
        assert.equal((await send(browser, '/two-factor/verify-totp', { code: codeOf(enrolled.secret) })).status, 200);
        return enrolled;
      })();
      const start = async () => {
        const browser = createBrowser(it.app);
        const { body } = await send(browser, '/sign-in/email', { email: 'coded@example.org', password: PASSWORD });
        assert.equal(body['twoFactorRedirect'], true, JSON.stringify(body));
        return browser;
      };
      const codes: unknown[] = [];
      for (let signIn = 0; signIn < 6; signIn++) {
        const browser = await start();
        for (let guess = 0; guess < 4; guess++)
          codes.push((await send(browser, '/two-factor/verify-totp', { code: `00000${guess}` })).body['code']);
      }
      assert.equal(codes.filter((code) => code === 'INVALID_CODE').length, 10);
      assert.equal(codes.at(-1), 'too_many_attempts');
      const { body } = await send(await start(), '/two-factor/verify-totp', { code: codeOf(secret, 1) });
      assert.equal(body['code'], 'too_many_attempts');
    });

    test('made at the same time count as well', async () => {
      await createUser(admin, 'parallel@example.org');
      const guesses = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          send(createBrowser(it.app), '/sign-in/email', {
            email: index % 2 === 0 ? 'parallel@example.org' : ' PARALLEL@example.org ',
            password: `wrong password ${index}`,
          }),
        ),
      );
      const statuses = guesses.map(({ status }) => status);
      assert.equal(statuses.filter((status) => status === 401).length, FAILURES_OF_ACCOUNT);
      assert.equal(statuses.filter((status) => status === 429).length, 40 - FAILURES_OF_ACCOUNT);
    });
  });
}
