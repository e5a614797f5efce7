import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { sql } from 'kysely';
import type { Database } from '../../src/db/index.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const BLOB = {
  digest: 'sha256:a',
  storage_key: 'a',
  size: 3 * 2 ** 40,
  state: 'sound',
  created_at: '2026-01-02T03:04:05.006Z',
};

for (const dialect of DIALECTS) {
  describe(`a database on ${dialect}`, () => {
    let opened: TestDatabase;
    let database: Database;
    const queries: number[] = [];

    before(async () => {
      opened = await openTestDatabase(dialect, { onQuery: (seconds) => void queries.push(seconds) });
      ({ database } = opened);
    });
    after(() => opened.close());

    const insertBlob = (digest: string, storage_key = digest) =>
      database.db
        .insertInto('blobs')
        .values({ ...BLOB, digest, storage_key })
        .execute();
    const findBlob = (digest: string) =>
      database.db.selectFrom('blobs').selectAll().where('digest', '=', digest).executeTakeFirst();

    test('returns numbers beyond 32 bits and texts unchanged', async () => {
      await insertBlob('sha256:types', 'types');
      assert.deepEqual(
        { ...(await findBlob('sha256:types')) },
        { ...BLOB, digest: 'sha256:types', storage_key: 'types', unreferenced_since: null },
      );
    });

    test('returns counts as numbers, and the number of affected rows', async () => {
      await insertBlob('sha256:counted');
      const { count } = await database.db
        .selectFrom('blobs')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('digest', '=', 'sha256:counted')
        .executeTakeFirstOrThrow();
      assert.equal(count, 1);
      const { numDeletedRows } = await database.db
        .deleteFrom('blobs')
        .where('digest', '=', 'sha256:counted')
        .executeTakeFirst();
      assert.equal(numDeletedRows, 1n);
    });

    test('orders texts byte by byte', async () => {
      const digests = ['order:é', 'order:z', 'order:B', 'order:a', 'order:_', 'order:😀', 'order:～'];
      for (const digest of digests) await insertBlob(digest);
      const rows = await database.db
        .selectFrom('blobs')
        .select('digest')
        .where('digest', 'like', 'order:%')
        .orderBy('digest')
        .execute();
      assert.deepEqual(
        rows.map((row) => row.digest),
        digests.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      );
    });

    test('rejects unknown blob states', async () => {
      await assert.rejects(
        database.db
          .insertInto('blobs')
          .values({ ...BLOB, digest: 'sha256:odd', state: 'odd' })
          .execute(),
      );
    });

    test('refuses to delete a referenced blob', async () => {
      await insertBlob('sha256:kept');
      const scan = { digest: 'sha256:kept', scan_version: 1, readme: null, packages: '[]', unpacked_size: 0 };
      await database.db.insertInto('tarball_scans').values(scan).execute();
      await database.db
        .insertInto('file_index_parts')
        .values({ digest: 'sha256:kept', part: 0, entries: '[]' })
        .execute();
      await assert.rejects(
        database.db.insertInto('slots').values(slotOf('sha256:kept')).execute(),
        'a slot requires its artefact',
      );
      await database.db.insertInto('artefacts').values(artefactRow()).execute();
      await assert.rejects(
        database.db.insertInto('slots').values(slotOf('sha256:unknown')).execute(),
        'a slot requires its blob',
      );
      await database.db.insertInto('slots').values(slotOf('sha256:kept')).execute();
      await assert.rejects(database.db.deleteFrom('blobs').where('digest', '=', 'sha256:kept').execute());

      await database.db.deleteFrom('artefacts').execute();
      assert.deepEqual(
        await database.db.selectFrom('slots').selectAll().execute(),
        [],
        'slots are deleted with their artefact',
      );
      await database.db.deleteFrom('blobs').where('digest', '=', 'sha256:kept').execute();
      assert.deepEqual(
        await database.db.selectFrom('tarball_scans').selectAll().execute(),
        [],
        'scans are deleted with their blob',
      );
      const parts = await database.db.selectFrom('file_index_parts').selectAll().execute();
      assert.deepEqual(parts, [], 'file indexes are deleted with their scan');
    });

    test('reports the duration of each query in seconds', async () => {
      const previousCount = queries.length;
      await database.check();
      assert.equal(queries.length, previousCount + 1);
      assert.ok(queries.at(-1)! >= 0 && queries.at(-1)! < 60);
    });

    test('survives text that looks like SQL', async () => {
      const digest = `'; drop table blobs; --`;
      await insertBlob(digest);
      assert.equal((await findBlob(digest))?.digest, digest);
    });
  });

  test(`check() fails on a closed ${dialect} database`, async () => {
    const { database, close } = await openTestDatabase(dialect, { migrated: false });
    await database.check();
    await close();
    await assert.rejects(database.check());
  });
}

test('a SQLite database flushes every commit and enforces foreign keys', async () => {
  const { database, close } = await openTestDatabase('sqlite', { migrated: false });
  const pragma = async (name: string) =>
    Object.values((await sql.raw<Record<string, unknown>>(`pragma ${name}`).execute(database.db)).rows[0] ?? {})[0];
  assert.deepEqual(
    [await pragma('journal_mode'), await pragma('synchronous'), await pragma('foreign_keys')],
    ['wal', 2, 1],
  );
  await close();
});

test('SQLite stores booleans and dates, which node:sqlite cannot bind', async () => {
  const { database, close } = await openTestDatabase('sqlite', { migrated: false });
  const { rows } =
    await sql`select ${true} as yes, ${false} as no, ${new Date('2026-01-02T03:04:05.006Z')} as at`.execute(
      database.db,
    );
  assert.deepEqual({ ...(rows[0] as object) }, { yes: 1, no: 0, at: '2026-01-02T03:04:05.006Z' });
  await close();
});

test('SQLite runs more distinct statements than its cache keeps', async () => {
  const { database, close } = await openTestDatabase('sqlite', { migrated: false });
  for (const round of [1, 2]) {
    for (let index = 0; index < 300; index++) {
      const { rows } = await sql.raw<{ value: number }>(`select ${index} as value`).execute(database.db);
      assert.equal(rows[0]?.value, index, `round ${round}`);
    }
  }
  await close();
});

function slotOf(digest: string) {
  return {
    artefact_id: 'a',
    architecture: 'noarch',
    digest,
    path: 'p',
    size: 1,
    version: null,
    file_name: null,
    uploaded_at: BLOB.created_at,
    uploaded_by: '{}',
    has_native_modules: 0,
    has_install_scripts: 0,
  };
}

function artefactRow() {
  const nothing = { package_name: null, group_fr: null, group_en: null, origin: null };
  return {
    ...nothing,
    id: 'a',
    format: 'npm',
    category: 'other',
    public: 0,
    deprecated: 0,
    data_updated_at: BLOB.created_at,
    last_modified: 1,
    version_key: '',
    search_text: 'a',
  };
}
