// Queries beside all others: of a thread of their own on SQLite, which reads what is committed and holds up nothing.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import { toDatabaseError } from '../../src/db/index.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

/** Counts to a million, which takes a good part of a second. */
const SLOW = sql<{ count: number }>`with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000000)
  select count(*) as count from n`;

for (const dialect of DIALECTS)
  describe(`queries aside on ${dialect}`, () => {
    let opened: TestDatabase;
    let queries = 0;
    before(async () => {
      opened = await openTestDatabase(dialect, { onQuery: () => queries++ });
    });
    after(() => opened.close());

    const insert = (storage_key: string) =>
      opened.database.db
        .insertInto('blob_writers')
        .values({ storage_key, state: '', created_at: '', heartbeat_at: '' })
        .execute();
    const keys = async () =>
      (
        await opened.database.aside.selectFrom('blob_writers').select('storage_key').orderBy('storage_key').execute()
      ).map(({ storage_key }) => storage_key);

    test('see each commit at once, and nothing that is not committed', async () => {
      await insert('a');
      assert.deepEqual(await keys(), ['a']);
      const [inserted, seen] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const transaction = opened.database.transaction(async (tx) => {
        await tx
          .insertInto('blob_writers')
          .values({ storage_key: 'b', state: '', created_at: '', heartbeat_at: '' })
          .execute();
        inserted.resolve();
        await seen.promise;
      });
      await inserted.promise;
      assert.deepEqual(await keys(), ['a']);
      seen.resolve();
      await transaction;
      assert.deepEqual(await keys(), ['a', 'b']);
    });

    test('let other work go on meanwhile', async () => {
      let isDone = false;
      const slow = SLOW.execute(opened.database.aside).then(({ rows }) => {
        isDone = true;
        return rows[0]?.count;
      });
      let turns = 0;
      while (!isDone) {
        await nextTurn();
        await opened.database.check();
        turns++;
      }
      assert.equal(Number(await slow), 1_000_000);
      assert.ok(turns > 10, `${turns}`);
    });

    test('take parameters of every type, are counted, and fail like others', async () => {
      const before = queries;
      const { rows } = await sql<{ it: string }>`select ${'é'} || cast(${7} as text) as it
        where cast(${null} as text) is null and ${true} = ${true}`.execute(opened.database.aside);
      assert.match(rows[0]?.it ?? '', /^é7(\.0)?$/);
      assert.ok(queries > before);
      await assert.rejects(sql`select no_such_function()`.execute(opened.database.aside), /no_such_function/);
      assert.deepEqual(await keys(), ['a', 'b']);
    });

    test('are refused inside a transaction, whose writes they would not see', async () => {
      await assert.rejects(
        opened.database.transaction(() => keys()),
        /inside a transaction/,
      );
    });
  });

test('on SQLite they cannot write, and end with the database', async () => {
  const { database, close } = await openTestDatabase('sqlite');
  const error: unknown = await sql`delete from blobs`.execute(database.aside).catch((reason: unknown) => reason);
  assert.match(String(error), /readonly/);
  assert.equal((error as { code?: unknown }).code, 'ERR_SQLITE_ERROR');
  assert.equal(toDatabaseError(error), undefined);
  const slow = assert.rejects(SLOW.execute(database.aside), /closed/);
  await close();
  await slow;
});
