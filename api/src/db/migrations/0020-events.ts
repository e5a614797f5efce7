// The outbox of events, and when the expiry of a key was written to it.

import { sql } from 'kysely';
import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

/**
 * The ID of the transaction, or of the newest one that has ended when the row is inserted, whichever is higher. Like
 * the ID alone, it is never below those of all transactions in progress; and it grows from event to event of an
 * artefact, while the ID alone is from before the transaction waits for the artefact's lock.
 *
 * SQLite has one writing transaction at a time: there, the row number alone is in the order of commits.
 */
const TRANSACTION = sql`greatest(
  pg_current_xact_id()::text::bigint,
  pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1
)`;

export async function createEvents(db: Executor, dialect: DialectName): Promise<void> {
  const { text, int8, sequence } = columnTypes(dialect);
  await db.schema
    .createTable('events')
    .addColumn('seq', sequence, (c) => c.notNull().primaryKey())
    .addColumn('tx_id', int8, (c) => c.notNull().defaultTo(dialect === 'postgres' ? TRANSACTION : 0))
    .addColumn('id', text, (c) => c.notNull().unique())
    .addColumn('type', text, (c) => c.notNull())
    .addColumn('subject', text, (c) => c.notNull())
    .addColumn('time', text, (c) => c.notNull())
    .addColumn('data', text, (c) => c.notNull())
    .addColumn('actor', text)
    .addColumn('audience', text)
    .execute();
  // SQLite reads by the row number.
  const order = dialect === 'postgres' ? (['tx_id', 'seq'] as const) : (['seq'] as const);
  if (dialect === 'postgres')
    await db.schema
      .createIndex('events_position')
      .on('events')
      .columns([...order])
      .execute();
  await db.schema
    .createIndex('events_subject')
    .on('events')
    .columns(['subject', ...order])
    .execute();
  await sql`create index events_audience on events (subject, seq) where audience is not null`.execute(db);

  await db.schema.alterTable('api_keys').addColumn('expiry_recorded_at', text).execute();
}
