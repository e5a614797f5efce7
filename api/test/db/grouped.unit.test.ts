import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { groupTransactions, type Database, type Tx } from '../../src/db/index.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

for (const dialect of DIALECTS) {
  describe(`grouped transactions on ${dialect}`, () => {
    let opened: TestDatabase;
    let database: Database;

    before(async () => {
      opened = await openTestDatabase(dialect);
      ({ database } = opened);
    });
    after(() => opened.close());

    const begin = (tx: Tx, key: string) => tx.insertInto('blob_writers').values({ storage_key: key, state: '', created_at: '', heartbeat_at: '' }).execute();
    const exists = async (key: string) => await database.db.selectFrom('blob_writers').select('storage_key').where('storage_key', '=', key).executeTakeFirst() !== undefined;

    /** Counts the transactions that the database itself ran. */
    function counted(): { database: Pick<Database, 'transaction'>; count: () => number } {
      let count = 0;
      return { database: { transaction: (work) => { count++; return database.transaction(work); } }, count: () => count };
    }

    test('run together, and give each caller what its work returned once it is committed', async () => {
      const below = counted();
      const grouped = groupTransactions(below.database, { enough: 3, patienceMs: 60_000 });
      const answers = await Promise.all([1, 2, 3].map((number) => grouped.transaction(async (tx) => { await begin(tx, `together-${number}`); return number; })));
      assert.deepEqual(answers, [1, 2, 3]);
      assert.equal(below.count(), 1);
      for (const number of answers) assert.ok(await exists(`together-${number}`));
    });

    test('wait for others no longer than their patience', async () => {
      const grouped = groupTransactions(database, { enough: 3, patienceMs: 1 });
      await grouped.transaction((tx) => begin(tx, 'alone'));
      assert.ok(await exists('alone'));
    });

    test('do not fail because of each other', async () => {
      const grouped = groupTransactions(database, { enough: 3, patienceMs: 60_000 });
      const failure = new Error('the work failed');
      const answers = await Promise.allSettled([
        grouped.transaction((tx) => begin(tx, 'before')),
        grouped.transaction(async (tx) => { await begin(tx, 'failed'); throw failure; }),
        grouped.transaction((tx) => begin(tx, 'behind')),
      ]);
      assert.deepEqual(answers.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled']);
      assert.deepEqual(await Promise.all(['before', 'failed', 'behind'].map(exists)), [true, false, true]);
    });

    test('refuse the database itself inside, as every transaction does', async () => {
      const grouped = groupTransactions(database, { patienceMs: 1 });
      await assert.rejects(grouped.transaction(() => database.check()), /inside a transaction/);
    });
  });
}
