// Uploads and downloads per day. Rows outlive their artefact, so that the history stays correct.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function createTransfers(db: Executor, dialect: DialectName): Promise<void> {
  const { text, int8 } = columnTypes(dialect);
  await db.schema
    .createTable('daily_transfers')
    .addColumn('day', text, (c) => c.notNull())
    .addColumn('artefact_id', text, (c) => c.notNull())
    .addColumn('uploads', int8, (c) => c.notNull())
    .addColumn('uploaded_bytes', int8, (c) => c.notNull())
    .addColumn('downloads', int8, (c) => c.notNull())
    .addColumn('downloaded_bytes', int8, (c) => c.notNull())
    .addPrimaryKeyConstraint('daily_transfers_pk', ['day', 'artefact_id'])
    .execute();
}
