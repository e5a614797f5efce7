import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { groupCommits, type Database, type GroupOptions, type Tx } from '../../src/db/index.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

for (const dialect of DIALECTS) {
  describe(`grouped commits on ${dialect}`, () => {
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

    /** Groups that begin writers, which fail for good where a key is `refused`. */
    const groupedBegin = (options: Partial<GroupOptions<string>>) => groupCommits<string>({
      database,
      async commitAll(tx, keys) {
        for (const key of keys) await begin(tx, key);
        if (keys.includes('refused')) throw new Error('a key was refused');
      },
      ...options,
    });

    test('are made together, and each caller waits until its own is committed', async () => {
      const below = counted();
      const commit = groupedBegin({ database: below.database, enough: 3, patienceMs: 60_000 });
      await Promise.all([1, 2, 3].map(async (number) => {
        await commit(`together-${number}`);
        assert.ok(await exists(`together-${number}`));
      }));
      assert.equal(below.count(), 1);
    });

    test('wait for others no longer than their patience', async () => {
      await groupedBegin({ enough: 3, patienceMs: 1 })('alone');
      assert.ok(await exists('alone'));
    });

    test('do not fail because of each other', async () => {
      const commit = groupedBegin({ enough: 3, patienceMs: 60_000 });
      const keys = ['before', 'refused', 'behind'];
      const answers = await Promise.allSettled(keys.map((key) => commit(key)));
      assert.deepEqual(answers.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled']);
      assert.deepEqual(await Promise.all(keys.map(exists)), [true, false, true]);
    });

    test('refuse the database itself inside, as every transaction does', async () => {
      await assert.rejects(groupedBegin({ patienceMs: 1, commitAll: () => database.check() })('inside'), /inside a transaction/);
    });
  });
}
