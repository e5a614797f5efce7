// What keeps a registry bounded and quick for years: the audit log's few refusals and failures in an index of their
// own, transfers by month, and the network that opened a resumable upload.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function addBounds(db: Executor, dialect: DialectName): Promise<void> {
  const { text, int8 } = columnTypes(dialect);
  await db.schema
    .createIndex('audit_events_outcome_idx')
    .on('audit_events')
    .columns(['outcome', 'at'])
    .where('outcome', '<>', 'success')
    .execute();
  await db.schema
    .createTable('monthly_transfers')
    .addColumn('month', text, (c) => c.notNull())
    .addColumn('artefact_id', text, (c) => c.notNull())
    .addColumn('uploads', int8, (c) => c.notNull())
    .addColumn('uploaded_bytes', int8, (c) => c.notNull())
    .addColumn('downloads', int8, (c) => c.notNull())
    .addColumn('downloaded_bytes', int8, (c) => c.notNull())
    .addPrimaryKeyConstraint('monthly_transfers_pk', ['month', 'artefact_id'])
    .execute();
  await db.schema
    .alterTable('resumable_uploads')
    .addColumn('network', text, (c) => c.notNull().defaultTo(''))
    .execute();
}
