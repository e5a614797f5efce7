import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createAccounts } from '../../src/accounts/index.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';
import { auditOf, SECRET } from './accounts-app.ts';

for (const dialect of DIALECTS) {
  describe(`the first superadmin, on ${dialect}`, () => {
    const open = async (t: { after: (done: () => Promise<void>) => void }) => {
      const { database, close } = await openTestDatabase(dialect);
      t.after(close);
      return { database, accounts: createAccounts({ database, publicUrl: 'http://localhost', secret: SECRET }) };
    };

    test('gets the configured password, which is not returned', async (t) => {
      const { accounts } = await open(t);
      assert.deepEqual(await accounts.createFirstSuperadmin({ email: 'Root@Example.org', password: 'configured 1' }), {
        email: 'root@example.org',
      });
    });

    test('otherwise gets a generated password, returned once, and is audited', async (t) => {
      const { accounts, database } = await open(t);
      const first = await accounts.createFirstSuperadmin({ email: 'admin@localhost' });
      assert.match(first?.password ?? '', /^[\w-]{16}$/);
      assert.equal(await accounts.createFirstSuperadmin({ email: 'admin@localhost' }), undefined);
      assert.equal(await accounts.createFirstSuperadmin({ email: 'other@localhost' }), undefined);
      const [event, ...more] = await auditOf(database);
      assert.deepEqual([event?.action, event?.actor_kind, more.length], ['user.create', 'internal', 0]);
    });

    test('is created once, however many replicas start at once', async (t) => {
      const { accounts, database } = await open(t);
      const results = await Promise.all(
        ['a', 'b', 'c', 'd'].map((name) => accounts.createFirstSuperadmin({ email: `${name}@example.org` })),
      );
      assert.equal(results.filter((admin) => admin !== undefined).length, 1);
      assert.equal((await database.db.selectFrom('user').select('id').execute()).length, 1);
    });

    test('must have an e-mail address that can sign in', async (t) => {
      const { accounts } = await open(t);
      await assert.rejects(accounts.createFirstSuperadmin({ email: 'admin' }), { code: 'email_invalid' });
    });
  });
}
