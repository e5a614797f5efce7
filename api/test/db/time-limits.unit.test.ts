// Every wait for PostgreSQL has a time limit. The tests shorten the limits through the URL.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import { createDatabase, migrate, toDatabaseError, untilReachable, type Database } from '../../src/db/index.ts';
import { eventually } from '../support/eventually.ts';
import { startPostgresCluster, type PostgresCluster } from '../support/postgres-cluster.ts';

let cluster: PostgresCluster;
const opened: Database[] = [];

before(async () => {
  cluster = await startPostgresCluster({ durable: true });
});
afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
});
after(() => cluster.stop());

function open(limits: Record<string, string> = {}, poolSize?: number): Database {
  const url = new URL(cluster.url);
  for (const [name, value] of Object.entries(limits)) url.searchParams.set(name, value);
  const database = createDatabase({ url: url.href, poolSize });
  opened.push(database);
  return database;
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'it succeeded',
    (error: unknown) => toDatabaseError(error)?.code ?? String(error),
  );
const sleep = (seconds: number) => sql`select pg_sleep(${seconds})`;

async function show(database: Database['db'], name: string): Promise<unknown> {
  const {
    rows: [row],
  } = await sql<Record<string, unknown>>`show ${sql.raw(name)}`.execute(database);
  return row?.[name];
}

describe('on PostgreSQL', () => {
  test('statements, locks and idle transactions have a limit, except in withoutTimeouts', async () => {
    const database = open();
    for (const name of ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout']) {
      assert.match(String(await show(database.db, name)), /^\d+s$/);
      assert.equal(await database.withoutTimeouts((db) => show(db, name)), '0');
    }
  });

  test('a statement over its limit fails as unavailable, and its connection stays usable', async () => {
    const database = open({ statement_timeout: '100' }, 2);
    assert.equal(await codeOf(sleep(60).execute(database.db)), 'database_unavailable');
    await database.check();
  });

  test('a wait for a lock over its limit fails as unavailable', async () => {
    const database = open({ lock_timeout: '100' });
    await sql`create table locked (id int)`.execute(database.db);
    await database.transaction(async (tx) => {
      await sql`lock table locked`.execute(tx);
      const other = open({ lock_timeout: '100' });
      assert.equal(await codeOf(sql`select * from locked`.execute(other.db)), 'database_unavailable');
    });
  });

  test('an idle transaction, such as that of a frozen replica, loses its locks', async () => {
    const frozen = open({ idle_in_transaction_session_timeout: '100' });
    const other = open();
    await sql`create table held (id int)`.execute(other.db);
    const failed = codeOf(
      frozen.transaction(async (tx) => {
        await sql`lock table held`.execute(tx);
        await eventually(() => sql`select * from held`.execute(other.db));
        await sql`select 1`.execute(tx);
      }),
    );
    assert.equal(await failed, 'database_unavailable');
    await frozen.check();
  });

  test('queries and transactions on a frozen server fail in time, and work again once it resumes', async () => {
    const database = open({ query_timeout: '300' }, 2);
    await Promise.all([database.check(), database.check()]);
    await cluster.become('freeze');
    try {
      assert.equal(await codeOf(database.check()), 'database_unavailable');
      assert.equal(await codeOf(database.transaction((tx) => sql`select 1`.execute(tx))), 'database_unavailable');
    } finally {
      await cluster.become('thaw');
    }
    // A late response must not be taken for that of the next query.
    const { rows } = await sql<{ value: number }>`select 42 as value`.execute(database.db);
    assert.deepEqual(rows, [{ value: 42 }]);
  });

  test('closing does not wait for a frozen server', async () => {
    const database = open({}, 2);
    await database.check();
    const running = codeOf(
      sleep(0)
        .execute(database.db)
        .then(() => sleep(60).execute(database.db)),
    );
    await eventually(async () => {
      assert.equal(
        (
          await sql`select 1 from pg_stat_activity where query like 'select pg_sleep%' and state = 'active'`.execute(
            open().db,
          )
        ).rows.length,
        1,
      );
    });
    await cluster.become('freeze');
    try {
      await database.close();
      assert.equal(await running, 'database_unavailable');
    } finally {
      await cluster.become('thaw');
    }
  });

  test('a power failure loses no committed row and keeps no uncommitted one', async () => {
    const database = open();
    await sql`create table log (id int)`.execute(database.db);
    await sql`insert into log values (1)`.execute(database.db);
    const failed = codeOf(
      database.transaction(async (tx) => {
        await sql`insert into log values (2)`.execute(tx);
        await cluster.become('down');
        await sql`insert into log values (3)`.execute(tx);
      }),
    );
    assert.equal(await failed, 'database_unavailable');
    assert.equal(await codeOf(database.check()), 'database_unavailable');
    await cluster.become('up');
    assert.deepEqual((await sql`select id from log`.execute(database.db)).rows, [{ id: 1 }]);
  });
});

describe('a start', () => {
  test('waits for an unreachable server, reports it once, and continues once it is up', async () => {
    await cluster.become('down');
    const database = open();
    const failures: unknown[] = [];
    const waited = untilReachable(database, {
      timeoutMs: 60_000,
      onWait: (error) => {
        failures.push(error);
      },
    });
    await eventually(async () => {
      assert.equal(failures.length, 1);
    });
    await cluster.become('up');
    await waited;
    assert.equal(failures.length, 1);
    assert.equal(toDatabaseError(failures[0])?.code, 'database_unavailable');
  });

  test('does not wait after an error that a retry cannot resolve', async () => {
    const url = new URL(cluster.url);
    url.pathname = '/nowhere';
    const database = createDatabase({ url: url.href });
    opened.push(database);
    await assert.rejects(untilReachable(database, { timeoutMs: 60_000, onWait: () => assert.fail('it waits') }), {
      code: '3D000',
    });
  });

  test('waits for a migration that another replica runs', async () => {
    const [first, second] = [open(), open()];
    // The lock of Kysely's migrator.
    const key = sql.lit(BigInt('3853314791062309107'));
    let migrated = false;
    let migration: Promise<void> | undefined;
    await first.withoutTimeouts((db) =>
      db.connection().execute(async (connection) => {
        await sql`select pg_advisory_lock(${key})`.execute(connection);
        migration = migrate(second).then(() => {
          migrated = true;
        });
        await eventually(async () => {
          assert.equal(
            (await sql`select 1 from pg_locks where locktype = 'advisory' and not granted`.execute(connection)).rows
              .length,
            1,
          );
        });
        assert.equal(migrated, false);
        await sql`select pg_advisory_unlock(${key})`.execute(connection);
      }),
    );
    await migration;
    assert.equal(migrated, true);
  });
});
