// Counts the runs of a job in a row that ended with their process.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function countUnendedRuns(db: Executor, dialect: DialectName): Promise<void> {
  await db.schema
    .alterTable('job_runs')
    .addColumn('unended_runs', columnTypes(dialect).int8, (c) => c.notNull().defaultTo(0))
    .execute();
}
