import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { sql } from 'kysely';
import { createDatabase, migrate, type Database } from '../../src/db/index.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';

const INTERRUPTED_EVERY = 9;
const DEATH = 77;
/** Migrates a database, and dies after a number of statements. */
const DYING_PROGRAM = `
  import { createDatabase, migrate } from '${new URL('../../src/db/index.ts', import.meta.url).href}';
  let statements = 0;
  const onQuery = () => {
    if (++statements === Number(process.env.STATEMENT)) process.exit(${DEATH});
  };
  const database = createDatabase({ url: process.env.DATABASE, onQuery });
  await migrate(database);
  await database.close();
`;

/** Tables and their columns, both sorted by name. */
async function listColumns({ db }: Database): Promise<Record<string, string[]>> {
  const tables = await db.introspection.getTables();
  const ours = tables.filter(({ name, isView }) => !isView && !name.startsWith('artefact_search'));
  return Object.fromEntries(
    ours
      .map(({ name, columns }) => [name, columns.map((column) => column.name).sort()] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

async function listMigrations({ db }: Database): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return rows.map(({ name }) => name);
}

// On PostgreSQL, Kysely itself runs all migrations in one transaction.
test('migrations on SQLite that are interrupted, at any statement, are run again at the next start', async () => {
  const { database: complete, close: closeComplete } = await openTestDatabase('sqlite');
  const columns = await listColumns(complete);
  await closeComplete();
  let interruptions = 0;
  for (let statement = 1, isInterrupted = true; isInterrupted; statement += INTERRUPTED_EVERY) {
    const { database, url, close } = await openTestDatabase('sqlite', { migrated: false });
    const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', DYING_PROGRAM], {
      env: { ...process.env, DATABASE: url, STATEMENT: String(statement) },
    });
    isInterrupted = status === DEATH;
    if (isInterrupted) interruptions++;
    else assert.equal(status, 0);
    await migrate(database);
    assert.deepEqual(await listColumns(database), columns, `interrupted at statement ${statement}`);
    await close();
  }
  assert.ok(interruptions > 10, `${interruptions}`);
});

for (const dialect of DIALECTS) {
  describe(`migrations on ${dialect}`, () => {
    test('are idempotent', async () => {
      const { database, close } = await openTestDatabase(dialect, { migrated: false });
      await migrate(database);
      const [columns, migrations] = [await listColumns(database), await listMigrations(database)];
      assert.ok(migrations.length > 0);
      await database.db
        .insertInto('blob_writers')
        .values({ storage_key: 'kept', state: '', created_at: '', heartbeat_at: '' })
        .execute();
      await migrate(database);
      assert.deepEqual([await listColumns(database), await listMigrations(database)], [columns, migrations]);
      assert.equal((await database.db.selectFrom('blob_writers').selectAll().execute()).length, 1);
      await close();
    });

    test('change nothing when the database is opened again', async () => {
      const { database, url, close } = await openTestDatabase(dialect);
      const columns = await listColumns(database);
      const reopened = createDatabase({ url });
      await migrate(reopened);
      assert.deepEqual(await listColumns(reopened), columns);
      await reopened.close();
      await close();
    });

    test('refuse a database that a newer program migrated, without changing it', async () => {
      const { database, close } = await openTestDatabase(dialect);
      await sql`
        insert into kysely_migration (name, timestamp)
        values ('0999-future', '2030-01-01T00:00:00.000Z')
      `.execute(database.db);
      const columns = await listColumns(database);
      await assert.rejects(migrate(database), { code: 'database_too_new', message: /0999-future/ });
      assert.deepEqual(await listColumns(database), columns);
      await close();
    });
  });
}

test('replicas that start concurrently on an empty PostgreSQL all find it migrated', async () => {
  const { database, url, close } = await openTestDatabase('postgres', { migrated: false });
  const replicas = [database, createDatabase({ url }), createDatabase({ url })];
  await Promise.all(replicas.map((replica) => migrate(replica)));
  const columns = await Promise.all(replicas.map(listColumns));
  assert.ok('artefacts' in columns[0]!);
  assert.deepEqual(columns[1], columns[0]);
  assert.deepEqual(columns[2], columns[0]);
  for (const replica of replicas.slice(1)) await replica.close();
  await close();
});

test('both databases get the same tables with the same columns', async () => {
  const [sqlite, postgres] = [await openTestDatabase('sqlite'), await openTestDatabase('postgres')];
  assert.deepEqual(await listColumns(sqlite.database), await listColumns(postgres.database));
  await Promise.all([sqlite.close(), postgres.close()]);
});
