import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sql } from 'kysely';
import { migrate, type Database } from '../../src/db/index.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';

const BEFORE = '0009-trusted-publishers';
const ODD_NAMES = ['},{"', '},{"path":"x"}', '"},{"path":"', '\\"},{\\"', 'été\n☃'];
const LARGE = Array.from({ length: 50_000 }, (_unused, index) => {
  const path = `${ODD_NAMES[index % ODD_NAMES.length]}/${index}`;
  return { path, sizeBytes: 1, mode: 0o644, type: 'file', offset: index };
});

/** More than the migration's batch size. */
const SMALL = Array.from({ length: 60 }, (_unused, at) => [`sha256:${at}`, [{ path: `file-${at}` }]] as const);
const LISTS: Record<string, object[]> = {
  ...Object.fromEntries(SMALL),
  'sha256:empty': [],
  'sha256:large': LARGE,
};

async function putOldLists({ db }: Database): Promise<void> {
  for (const [digest, files] of Object.entries(LISTS)) {
    const blob = { digest, storage_key: digest, size: 1, state: 'sound', created_at: '' };
    await db.insertInto('blobs').values(blob).execute();
    await sql`insert into tarball_scans (digest, scan_version, files, packages, unpacked_size)
      values (${digest}, 1, ${JSON.stringify(files)}, '[]', 0)`.execute(db);
  }
}

async function readLists({ db }: Database): Promise<Record<string, object[]>> {
  const lists: Record<string, object[]> = Object.fromEntries(Object.keys(LISTS).map((digest) => [digest, []]));
  const rows = await db.selectFrom('file_index_parts').selectAll().orderBy('digest').orderBy('part').execute();
  for (const { digest, entries } of rows) lists[digest]!.push(...(JSON.parse(entries) as object[]));
  return lists;
}

for (const dialect of DIALECTS) {
  describe(`the migration of file indexes on ${dialect}`, () => {
    test('splits each index and keeps the other columns', async () => {
      const { database, close } = await openTestDatabase(dialect, { migrated: false });
      await migrate(database, { upTo: BEFORE });
      await putOldLists(database);
      await migrate(database);
      assert.deepEqual(await readLists(database), LISTS);
      const { count } = await database.db
        .selectFrom('file_index_parts')
        .where('digest', '=', 'sha256:large')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      assert.ok(count > 10, `${count} parts`);
      const scans = await database.db.selectFrom('tarball_scans').selectAll().execute();
      assert.equal(scans.length, Object.keys(LISTS).length);
      assert.equal('files' in scans[0]!, false);
      await close();
    });
  });
}

test('an interrupted migration of file indexes on SQLite starts again', async () => {
  const { database, close } = await openTestDatabase('sqlite', { migrated: false });
  await migrate(database, { upTo: BEFORE });
  await putOldLists(database);
  // Simulates an interruption before the last statement.
  await sql`
    create trigger refuse before insert on kysely_migration begin
      select raise(abort, 'interrupted');
    end
  `.execute(database.db);
  await sql`create view holds_column as select files from tarball_scans`.execute(database.db);
  await assert.rejects(migrate(database));
  await sql`drop view holds_column`.execute(database.db);
  await assert.rejects(migrate(database), /interrupted/);
  await sql`drop trigger refuse`.execute(database.db);
  await migrate(database);
  assert.deepEqual(await readLists(database), LISTS);
  await close();
});
