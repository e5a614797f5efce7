import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BACKED_UP_TABLES, LEFT_OUT_TABLES } from '../../src/backup/tables.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';

for (const dialect of DIALECTS) {
  test(`every table is either backed up or listed as left out, on ${dialect}`, async () => {
    const { database, close } = await openTestDatabase(dialect);
    const tables = await database.db.introspection.getTables();
    await close();
    const names = tables.map(({ name }) => name).filter((name) => !name.startsWith('artefact_search'));
    assert.deepEqual(
      names.toSorted(),
      [...BACKED_UP_TABLES.map(({ name }) => name), ...Object.keys(LEFT_OUT_TABLES)].toSorted(),
    );
  });
}
