// Fingerprints of the secrets that rows depend on.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function addSecretFingerprints(db: Executor, dialect: DialectName): Promise<void> {
  const { text } = columnTypes(dialect);
  await db.schema
    .createTable('secret_fingerprints')
    .addColumn('name', text, (c) => c.notNull().primaryKey())
    .addColumn('fingerprint', text, (c) => c.notNull())
    .execute();
}
