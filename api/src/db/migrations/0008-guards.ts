// Further indexes of the audit log, rotated API keys whose old key stays valid for a while, and failed attempts.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function createGuards(db: Executor, dialect: DialectName): Promise<void> {
  const { text } = columnTypes(dialect);
  await db.schema.createIndex('audit_events_actor_idx').on('audit_events').columns(['actor_id', 'at']).execute();
  await db.schema.createIndex('audit_events_target_idx').on('audit_events').columns(['target_id', 'at']).execute();
  await db.schema.createIndex('audit_events_action_idx').on('audit_events').columns(['action', 'at']).execute();

  // SQLite adds only one column per statement.
  for (const column of ['previous_hash', 'previous_short_id', 'previous_until', 'rotated_at', 'expiry_announced_at']) {
    await db.schema.alterTable('api_keys').addColumn(column, text).execute();
  }
  await db.schema.createIndex('api_keys_previous_hash_idx').on('api_keys').column('previous_hash').execute();
  await db.schema.createIndex('api_keys_expires_at_idx').on('api_keys').column('expires_at').execute();

  await db.schema
    .createTable('failed_attempts')
    .addColumn('subject', text, (c) => c.notNull().primaryKey())
    .addColumn('count', 'integer', (c) => c.notNull())
    .addColumn('until', text, (c) => c.notNull())
    .execute();
  await db.schema.createIndex('failed_attempts_until_idx').on('failed_attempts').column('until').execute();
}
