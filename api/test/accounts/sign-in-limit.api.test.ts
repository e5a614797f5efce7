import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DIALECTS } from '../support/test-database.ts';
import { ADMIN, auditOf, createAccountsApp, createUser, PASSWORD, type AccountsApp } from './accounts-app.ts';

const PER_MINUTE = 3;

for (const dialect of DIALECTS) {
  describe(`the limit of sign-in attempts, on ${dialect}`, () => {
    let it: AccountsApp;
    before(async () => {
      it = await createAccountsApp(dialect, { signInsPerMinute: PER_MINUTE });
    });
    after(() => it.close());

    const attempt = async (
      remoteAddress: string,
      headers: Record<string, string> = {},
      password = 'wrong password',
    ) => {
      const response = await it.app.inject({
        method: 'POST',
        url: '/api/auth/sign-in/email',
        remoteAddress,
        headers,
        payload: { email: ADMIN.email, password },
      });
      return {
        status: response.statusCode,
        retryAfter: Number(response.headers['retry-after']),
        body: response.json<{ code: string; requestId: string }>(),
      };
    };

    test('applies to the real address, despite forged headers or the right password', async () => {
      const forgeries = [
        { 'x-forwarded-for': '198.51.100.1' },
        { 'x-berth-ip': '198.51.100.2' },
        { 'x-real-ip': '198.51.100.3', 'forwarded': 'for=198.51.100.3' },
      ];
      for (const headers of forgeries) assert.equal((await attempt('203.0.113.5', headers)).status, 401);
      const { status, retryAfter, body } = await attempt(
        '203.0.113.5',
        { 'x-forwarded-for': '198.51.100.4', 'x-berth-ip': '198.51.100.5' },
        ADMIN.password,
      );
      assert.deepEqual([status, body.code], [429, 'too_many_attempts']);
      assert.ok(retryAfter > 0 && retryAfter <= 60);
      assert.ok(body.requestId);
      assert.equal((await attempt('203.0.113.6', {}, ADMIN.password)).status, 200);
    });

    test('follows the forwarding headers of a trusted proxy', async () => {
      for (let count = 0; count < PER_MINUTE; count++)
        assert.equal((await attempt('127.0.0.1', { 'x-forwarded-for': '192.0.2.1' })).status, 401);
      assert.equal((await attempt('127.0.0.1', { 'x-forwarded-for': '192.0.2.1' })).status, 429);
      assert.equal((await attempt('127.0.0.1', { 'x-forwarded-for': '192.0.2.2' })).status, 401);
      assert.equal((await attempt('127.0.0.1', { 'x-forwarded-for': '198.51.100.7, 192.0.2.1' })).status, 429);
    });

    test('applies to concurrent attempts', async () => {
      const statuses = await Promise.all(Array.from({ length: 8 }, async () => (await attempt('203.0.113.9')).status));
      assert.equal(statuses.filter((status) => status === 401).length, PER_MINUTE);
      assert.equal(statuses.filter((status) => status === 429).length, 8 - PER_MINUTE);
    });

    test('keeps attempts over the limit out of the audit log', async () => {
      await it.database.db.deleteFrom('audit_events').execute();
      for (let count = 0; count <= PER_MINUTE + 2; count++) await attempt('203.0.113.10');
      assert.equal((await auditOf(it.database)).length, PER_MINUTE);
    });
  });
}

const FAILURES_OF_ACCOUNT = 20;

for (const dialect of DIALECTS) {
  describe(`the limit of failed sign-ins to one account, on ${dialect}`, () => {
    let it: AccountsApp;
    before(async () => {
      it = await createAccountsApp(dialect);
    });
    after(() => it.close());

    const attempt = async (email: string, address: number, password = 'wrong password') => {
      const response = await it.app.inject({
        method: 'POST',
        url: '/api/auth/sign-in/email',
        remoteAddress: `203.0.113.${address}`,
        payload: { email, password },
      });
      return [response.statusCode, response.json<{ code?: string }>().code];
    };

    test('applies across addresses, to existing and unknown accounts', async () => {
      for (const email of [ADMIN.email, 'nobody@example.org']) {
        for (let address = 1; address <= FAILURES_OF_ACCOUNT; address++)
          assert.deepEqual(await attempt(email, address), [401, 'INVALID_EMAIL_OR_PASSWORD'], `${email} ${address}`);
        assert.deepEqual(await attempt(` ${email.toUpperCase()} `, 100), [429, 'too_many_attempts']);
        assert.deepEqual(await attempt(email, 101, ADMIN.password), [429, 'too_many_attempts']);
      }
      assert.deepEqual(await attempt('somebody@example.org', 1), [401, 'INVALID_EMAIL_OR_PASSWORD']);
    });

    test('is lifted when a superadmin sets a new password', async () => {
      await it.database.db.deleteFrom('failed_attempts').execute();
      const admin = await it.signIn(ADMIN.email, ADMIN.password);
      const id = await createUser(admin, 'locked@example.org');
      for (let address = 1; address <= FAILURES_OF_ACCOUNT; address++) await attempt('locked@example.org', address);
      assert.equal((await attempt('locked@example.org', 1, PASSWORD))[0], 429);
      assert.equal((await admin.send('PATCH', `/users/${id}`, { password: 'third mate 3' })).status, 200);
      assert.equal((await attempt('locked@example.org', 1, 'third mate 3'))[0], 200);
    });

    test('starts over after a success', async () => {
      await it.database.db.deleteFrom('failed_attempts').execute();
      for (let round = 0; round < 2; round++) {
        for (let address = 1; address < FAILURES_OF_ACCOUNT; address++)
          assert.equal((await attempt(ADMIN.email, address))[0], 401);
        assert.equal((await attempt(ADMIN.email, 1, ADMIN.password))[0], 200);
      }
    });
  });
}
