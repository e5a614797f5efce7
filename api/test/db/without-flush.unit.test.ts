import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';

for (const dialect of DIALECTS) {
  test(`withoutFlush writes the rows, and later commits are flushed again, on ${dialect}`, async () => {
    const { database, close } = await openTestDatabase(dialect);
    const flushes = async () =>
      dialect === 'postgres' ||
      (await sql<{ synchronous: number }>`pragma synchronous`.execute(database.db)).rows[0]?.synchronous === 2;
    const insert = (storageKey: string) =>
      database.withoutFlush((db) =>
        db
          .insertInto('blob_writers')
          .values({ storage_key: storageKey, state: '', created_at: '', heartbeat_at: '' })
          .execute(),
      );
    try {
      await Promise.all(['a', 'b', 'c'].map(insert));
      assert.equal((await database.db.selectFrom('blob_writers').select('storage_key').execute()).length, 3);
      assert.ok(await flushes());
      await assert.rejects(insert('a'));
      assert.ok(await flushes());
      await assert.rejects(
        database.transaction(() => insert('d')),
        /inside a transaction/,
      );
    } finally {
      await close();
    }
  });
}
