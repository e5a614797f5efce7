// Remote registries, their mirrored artefacts with the last result, and interrupted downloads that can be resumed.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function createRemotes(db: Executor, dialect: DialectName): Promise<void> {
  const { text, int8 } = columnTypes(dialect);
  await db.schema
    .createTable('remote_registries')
    .addColumn('id', text, (c) => c.notNull().primaryKey())
    .addColumn('name', text, (c) => c.notNull())
    .addColumn('api_key', text)
    .addColumn('api_key_short_id', text)
    .addColumn('schedule', text)
    .addColumn('selected_patterns', text, (c) => c.notNull())
    .addColumn('created_at', text, (c) => c.notNull())
    .addColumn('requested', text)
    .addColumn('next_full_at', text)
    .addColumn('upstream_count', int8)
    .addColumn('last_sync_at', text)
    .addColumn('last_sync_status', text)
    .addColumn('last_sync_error', text)
    .execute();
  await db.schema
    .createTable('remote_artefacts')
    .addColumn('remote_id', text, (c) => c.notNull().references('remote_registries.id').onDelete('cascade'))
    .addColumn('artefact_id', text, (c) => c.notNull())
    .addColumn('selected', 'integer', (c) => c.notNull())
    .addColumn('status', text, (c) => c.notNull())
    .addColumn('at', text)
    .addColumn('bytes', int8)
    .addColumn('seconds', dialect === 'sqlite' ? 'real' : 'double precision')
    .addColumn('reason', text)
    .addColumn('attempts', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('next_try_at', text)
    .addColumn('upstream_state', text)
    .addPrimaryKeyConstraint('remote_artefacts_pk', ['remote_id', 'artefact_id'])
    .execute();
  await db.schema
    .createTable('remote_fetches')
    .addColumn('remote_id', text, (c) => c.notNull().references('remote_registries.id').onDelete('cascade'))
    .addColumn('artefact_id', text, (c) => c.notNull())
    .addColumn('architecture', text, (c) => c.notNull())
    .addColumn('source', text, (c) => c.notNull())
    .addColumn('etag', text)
    .addColumn('storage_key', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('remote_fetches_pk', ['remote_id', 'artefact_id', 'architecture'])
    .execute();
}
