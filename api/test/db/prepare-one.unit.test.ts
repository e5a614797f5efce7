import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Database } from '../../src/db/index.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

interface Shard {
  version: number;
  shard: number;
}

function prepareShard({ db, prepareOne }: Database) {
  return prepareOne<Shard>(
    db.selectFrom('list_versions').select(['version', 'shard']).where('shard', '=', 0).compile(),
    ['version', 'shard'],
  );
}

for (const dialect of DIALECTS) {
  describe(`a prepared single-row query on ${dialect}`, () => {
    let opened: TestDatabase;
    let database: Database;
    before(async () => {
      opened = await openTestDatabase(dialect);
      ({ database } = opened);
    });
    after(() => opened.close());

    const count = (executor: Database['db']) =>
      executor
        .updateTable('list_versions')
        .set((eb) => ({ version: eb('version', '+', 1) }))
        .where('shard', '=', 3)
        .execute();

    test('returns the row for its parameters, or undefined', async () => {
      const find = prepareShard(database);
      assert.deepEqual(await find(3), { version: 0, shard: 3 });
      assert.deepEqual(await find(4), { version: 0, shard: 4 });
      assert.equal(await find(1000), undefined);
    });

    test('sees each commit immediately, of a transaction or a single statement', async () => {
      const find = prepareShard(database);
      const first = (await find(3))?.version ?? 0;
      await database.transaction((tx) => count(tx));
      assert.equal((await find(3))?.version, first + 1);
      await count(database.db);
      assert.equal((await find(3))?.version, first + 2);
    });

    test('never sees uncommitted changes', async () => {
      const find = prepareShard(database);
      const before = await find(3);
      const written = Promise.withResolvers<void>();
      const proceed = Promise.withResolvers<void>();
      const transaction = database.transaction(async (tx) => {
        await count(tx);
        written.resolve();
        await proceed.promise;
      });
      await written.promise;
      assert.deepEqual(await find(3), before);
      proceed.resolve();
      await transaction;
      assert.equal((await find(3))?.version, (before?.version ?? 0) + 1);
    });

    test('throws inside a transaction, like every other use of the database', async () => {
      const find = prepareShard(database);
      await assert.rejects(
        database.transaction(() => find(3)),
        /used inside a transaction/,
      );
    });
  });
}
