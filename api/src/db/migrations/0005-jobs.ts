// Leases, the state of jobs, and the time since when a blob is unreferenced.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function createJobs(db: Executor, dialect: DialectName): Promise<void> {
  const { text, int8 } = columnTypes(dialect);
  await db.schema
    .createTable('leases')
    .addColumn('name', text, (c) => c.notNull().primaryKey())
    .addColumn('holder', text)
    .addColumn('token', int8, (c) => c.notNull())
    .addColumn('expires_at', text, (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('job_runs')
    .addColumn('name', text, (c) => c.notNull().primaryKey())
    .addColumn('due_at', text)
    .addColumn('token', int8, (c) => c.notNull())
    .addColumn('started_at', text)
    .addColumn('ended_at', text)
    .addColumn('outcome', text)
    .addColumn('failures', 'integer', (c) => c.notNull())
    .addColumn('error', text)
    .addColumn('progress', text)
    .addColumn('result', text)
    .execute();
  await db.schema.alterTable('blobs').addColumn('unreferenced_since', text).execute();
  await db.schema
    .createIndex('blobs_unreferenced_idx')
    .on('blobs')
    .columns(['digest', 'unreferenced_since'])
    .where('unreferenced_since', 'is not', null)
    .execute();
  await db.schema
    .createIndex('blobs_unsound_idx')
    .on('blobs')
    .columns(['digest', 'state'])
    .where('state', '<>', 'sound')
    .execute();
}
