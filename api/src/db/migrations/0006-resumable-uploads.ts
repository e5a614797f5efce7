// Resumable uploads. No foreign key to blob_writers: publishing deletes that row, while this one stays for a while, so
// that a client that lost the last response can get it again.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function createResumableUploads(db: Executor, dialect: DialectName): Promise<void> {
  const { text, int8 } = columnTypes(dialect);
  await db.schema
    .createTable('resumable_uploads')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('storage_key', text, (c) => c.notNull().unique())
    .addColumn('artefact_id', text, (c) => c.notNull())
    .addColumn('format', text, (c) => c.notNull())
    .addColumn('fields', text, (c) => c.notNull())
    .addColumn('size', int8, (c) => c.notNull())
    .addColumn('received', int8)
    .addColumn('created_by', text, (c) => c.notNull())
    .addColumn('created_at', text, (c) => c.notNull())
    .addColumn('expires_at', text, (c) => c.notNull())
    .addColumn('claim', text)
    .addColumn('claimed_until', text)
    .addColumn('claim_wanted', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('document', text)
    .addColumn('digest', text)
    .execute();
  await db.schema.createIndex('resumable_uploads_expires_idx').on('resumable_uploads').column('expires_at').execute();
}
