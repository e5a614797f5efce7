import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ADMIN, createAccountsApp, DIALECTS, PASSWORD, type AccountsApp } from './accounts-app.ts';

for (const dialect of DIALECTS) {
  describe(`signing in, on ${dialect}`, () => {
    let it: AccountsApp;
    before(async () => {
      it = await createAccountsApp(dialect);
      const admin = await it.admin();
      const { status } = await admin.send('POST', '/users', { email: 'ada@example.org', name: 'Ada', password: PASSWORD });
      assert.equal(status, 201);
    });
    after(() => it.close());

    test('an address without a dot works, as the first superadmin has one', async () => {
      const admin = await it.admin();
      const { body } = await admin.get('/session');
      assert.equal(body['isAdmin'], true);
      assert.deepEqual((body['user'] as { email: string }).email, ADMIN.email);
    });
  });
}
