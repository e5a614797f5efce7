// Names in tarballs that not all systems can hold or tell apart, as found by scans.

import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

export async function addTarballWarnings(db: Executor, dialect: DialectName): Promise<void> {
  await db.schema.alterTable('tarball_scans').addColumn('warnings', columnTypes(dialect).text).execute();
}
