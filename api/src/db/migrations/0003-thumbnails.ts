// Thumbnails: one image per artefact, stored in the database so that it changes in one transaction with the document.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function createThumbnails(db: Executor, dialect: DialectName): Promise<void> {
  const { text, bytes } = columnTypes(dialect);
  await db.schema
    .createTable('thumbnails')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('artefact_id', text, (c) => c.notNull().unique().references('artefacts.id').onDelete('cascade'))
    .addColumn('content_type', text, (c) => c.notNull())
    .addColumn('data', bytes, (c) => c.notNull())
    .execute();
}
