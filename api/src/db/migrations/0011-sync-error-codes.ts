// Error codes of failed synchronisations.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function addSyncErrorCodes(db: Executor, dialect: DialectName): Promise<void> {
  await db.schema
    .alterTable('remote_registries')
    .addColumn('last_sync_error_code', columnTypes(dialect).text)
    .execute();
}
