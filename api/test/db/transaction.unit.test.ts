import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { toDatabaseError, type Database, type Tx } from '../../src/db/index.ts';
import { createFailingDatabase } from '../support/failing-database.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

/** SQLite writes what its page cache cannot hold before the commit. */
const LARGER_THAN_THE_CACHE = 40_000_000;

/** PostgreSQL closes the connection; SQLite ends the transaction, as it does when the disk is full. */
const ENDS = { postgres: sql`select pg_terminate_backend(pg_backend_pid())`, sqlite: sql`rollback` };

class ConflictError extends Error {
  readonly code: string;
  constructor(code: string) {
    super('conflict');
    this.code = code;
  }
}

for (const dialect of DIALECTS) {
  describe(`a transaction on ${dialect}`, () => {
    let opened: TestDatabase;
    let database: Database;

    before(async () => {
      opened = await openTestDatabase(dialect);
      ({ database } = opened);
    });
    after(() => opened.close());

    const begin = (tx: Tx, key: string) =>
      tx
        .insertInto('blob_writers')
        .values({ storage_key: key, state: '', created_at: '', heartbeat_at: '' })
        .execute();
    const exists = async (key: string) =>
      (await database.db
        .selectFrom('blob_writers')
        .select('storage_key')
        .where('storage_key', '=', key)
        .executeTakeFirst()) !== undefined;

    test('commits its writes and returns the result of its work', async () => {
      assert.equal(
        await database.transaction(async (tx) => {
          await begin(tx, 'committed');
          return 7;
        }),
        7,
      );
      assert.ok(await exists('committed'));
    });

    test('rolls back failed work', async () => {
      const failure = new Error('the work failed');
      await assert.rejects(
        database.transaction(async (tx) => {
          await begin(tx, 'undone');
          throw failure;
        }),
        failure,
      );
      assert.ok(!(await exists('undone')));
    });

    test('reports the failure of its work even if the rollback fails, too', async () => {
      const failure = new Error('the work failed');
      await assert.rejects(
        database.transaction(async (tx) => {
          await begin(tx, 'lost');
          await ENDS[dialect].execute(tx).catch(() => undefined);
          throw failure;
        }),
        failure,
      );
      assert.ok(!(await exists('lost')));
      await database.transaction((tx) => begin(tx, 'after the loss'));
      assert.ok(await exists('after the loss'));
    });

    test('hides its writes until the commit', async () => {
      const proceed = Promise.withResolvers<void>();
      const work = database.transaction(async (tx) => {
        await begin(tx, 'hidden');
        await proceed.promise;
      });
      const isVisible = dialect === 'postgres' ? exists('hidden') : Promise.resolve(false);
      assert.equal(await isVisible, false);
      proceed.resolve();
      await work;
      assert.ok(await exists('hidden'));
    });

    test('throws if the database itself is used inside, which would deadlock', async () => {
      await assert.rejects(
        database.transaction(() => database.db.selectFrom('blobs').selectAll().execute()),
        /inside a transaction/,
      );
      await assert.rejects(
        database.transaction(() => database.check()),
        /inside a transaction/,
      );
      await assert.rejects(
        database.transaction(async () => {
          await Promise.resolve();
          await sql`select 1`.execute(database.db);
        }),
        /inside a transaction/,
      );
    });

    test('leaves the database usable outside, during another transaction and after such a misuse', async () => {
      await assert.rejects(database.transaction(() => database.check()));
      const [, rows] = await Promise.all([
        database.transaction((tx) => begin(tx, 'beside')),
        database.db.selectFrom('blobs').selectAll().execute(),
      ]);
      assert.deepEqual(rows, []);
    });

    for (const code of ['40001', '40P01']) {
      test(`is retried after a conflict (${code}), with the previous attempt rolled back`, async () => {
        let attempts = 0;
        await database.transaction(async (tx) => {
          await begin(tx, `again-${code}`);
          if (++attempts < 4) throw new ConflictError(code);
        });
        assert.equal(attempts, 4);
        assert.ok(await exists(`again-${code}`));
      });
    }

    test('gives up after the fourth conflict', async () => {
      let attempts = 0;
      await assert.rejects(
        database.transaction(() => {
          attempts++;
          throw new ConflictError('40001');
        }),
        { code: '40001' },
      );
      assert.equal(attempts, 4);
    });

    test('is not retried after any other failure', async () => {
      let attempts = 0;
      await assert.rejects(
        database.transaction((tx) => {
          attempts++;
          return begin(tx, 'committed');
        }),
      );
      assert.equal(attempts, 1);
    });

    test('many concurrent ones all commit', async () => {
      const keys = Array.from({ length: 30 }, (_value, index) => `many-${index}`);
      await Promise.all(keys.map((key) => database.transaction((tx) => begin(tx, key))));
      const { count } = await database.db
        .selectFrom('blob_writers')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('storage_key', 'like', 'many-%')
        .executeTakeFirstOrThrow();
      assert.equal(count, 30);
    });
  });
}

test('a transaction on SQLite writes nothing after its disk has failed, even if work ignores the error', async () => {
  const { database, close } = await openTestDatabase('sqlite');
  const failing = await createFailingDatabase(database);
  const begin = (tx: Tx, key: string) =>
    tx.insertInto('blob_writers').values({ storage_key: key, state: '', created_at: '', heartbeat_at: '' }).execute();
  const isUnavailable = (error: unknown) => toDatabaseError(error)?.code === 'database_unavailable';
  await assert.rejects(
    database.transaction(async (tx) => {
      await begin(tx, 'before');
      await failing.during('io-error', () =>
        assert.rejects(begin(tx, 'x'.repeat(LARGER_THAN_THE_CACHE)), isUnavailable),
      );
      await assert.rejects(begin(tx, 'after'), isUnavailable);
    }),
    isUnavailable,
  );
  assert.deepEqual(await database.db.selectFrom('blob_writers').select('storage_key').execute(), []);
  await close();
});

test('two deadlocked transactions on PostgreSQL both commit after a retry', async () => {
  const { database, close } = await openTestDatabase('postgres');
  const values = ['one', 'two'].map((storage_key) => ({ storage_key, state: '', created_at: '', heartbeat_at: '' }));
  await database.db.insertInto('blob_writers').values(values).execute();
  let locked = 0;
  const bothLocked = Promise.withResolvers<void>();
  let attempts = 0;
  const lockBoth = (first: string, second: string) =>
    database.transaction(async (tx) => {
      attempts++;
      await sql`set local deadlock_timeout = '10ms'`.execute(tx);
      const lock = (key: string) =>
        tx
          .updateTable('blob_writers')
          .set((eb) => ({ state: sql<string>`${eb.ref('state')} || '+'` }))
          .where('storage_key', '=', key)
          .execute();
      await lock(first);
      if (++locked === 2) bothLocked.resolve();
      await bothLocked.promise;
      await lock(second);
    });
  await Promise.all([lockBoth('one', 'two'), lockBoth('two', 'one')]);
  // PostgreSQL may resolve the deadlock by aborting one or both.
  assert.ok(attempts >= 3);
  const rows = await database.db.selectFrom('blob_writers').select('state').execute();
  assert.deepEqual(
    rows.map(({ state }) => state),
    ['++', '++'],
  );
  await close();
});
