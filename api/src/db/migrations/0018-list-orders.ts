// An index for each order of lists, with a sort key of versions, which a job fills afterwards (decision 29); short ids
// of keys without their prefix.

import { sql } from 'kysely';
import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

/** What lists filter by, so that a page is found within the index. */
const FILTERS = ['deprecated', 'public', 'format', 'category', 'package_name', 'group_fr', 'group_en', 'origin'];

export async function addListOrders(db: Executor, dialect: DialectName): Promise<void> {
  await db.schema
    .alterTable('artefacts')
    .addColumn('version_key', columnTypes(dialect).text, (c) => c.notNull().defaultTo(''))
    .execute();
  // Artefacts without a group come first. SQLite sorts so anyway, and its indexes cannot say it.
  const nullsFirst = dialect === 'postgres' ? sql` nulls first` : sql``;
  const orders = {
    version_key: sql`version_key`,
    group_fr: sql`group_fr${nullsFirst}`,
    group_en: sql`group_en${nullsFirst}`,
    // Not the column: every list that filters by it would use this index.
    public: sql`(public + 0)`,
  };
  for (const [name, order] of Object.entries(orders)) {
    const rest = ['id', ...FILTERS.filter((filter) => filter !== name || name === 'public')];
    await sql`create index ${sql.ref(`artefacts_by_${name}_idx`)}
      on artefacts (${order}, ${sql.join(rest.map((column) => sql.ref(column)))})`.execute(db);
  }
  // `reg_1a2b3c4d` becomes `1a2b3c4d`.
  for (const column of ['short_id', 'previous_short_id'].map((name) => sql.ref(name)))
    await sql`update api_keys set ${column} = substr(${column}, 5) where length(${column}) = 12`.execute(db);
}
