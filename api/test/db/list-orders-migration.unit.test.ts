import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { migrate } from '../../src/db/index.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';

/** A name that looks like what the migration changes. */
const NAME = 'reg_1a2b3c4';

for (const dialect of DIALECTS)
  test(`the migration of list orders shortens the ids of keys on ${dialect}`, async () => {
    const { database, close } = await openTestDatabase(dialect, { migrated: false });
    try {
      await migrate(database, { upTo: '0017-portability' });
      for (const [id, previous] of [
        ['a', null],
        ['b', 'reg_0a0b0c0d'],
      ])
        await sql`insert into api_keys (id, type, name, short_id, hash, created_at, created_by, previous_short_id)
          values (${id}, 'upload', ${NAME}, 'reg_1a2b3c4d', ${id}, '', '', ${previous})`.execute(database.db);
      await migrate(database);
      const keys = await database.db.selectFrom('api_keys').selectAll().orderBy('id').execute();
      assert.deepEqual(
        keys.map((key) => [key.name, key.short_id, key.previous_short_id]),
        [
          [NAME, '1a2b3c4d', null],
          [NAME, '1a2b3c4d', '0a0b0c0d'],
        ],
      );
    } finally {
      await close();
    }
  });
