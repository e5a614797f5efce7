// The branches, tags and events whose jobs a trusted publisher accepts. Existing publishers keep accepting any branch.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function restrictTrustedPublishers(db: Executor, dialect: DialectName): Promise<void> {
  // SQLite adds only one column per statement.
  for (const column of ['branch', 'tag', 'events'])
    await db.schema.alterTable('trusted_publishers').addColumn(column, columnTypes(dialect).text).execute();
  await db.schema
    .alterTable('trusted_publishers')
    .addColumn('any_ref', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
}
