// Brings the database to this program's schema at start; Kysely's lock lets one replica do it.

import { Migrator, type Migration } from 'kysely/migration';
import { sql } from 'kysely';
import type { Database, DialectName, Executor } from './database.ts';
import { DatabaseTooNewError } from './errors.ts';
import { createAccounts } from './migrations/0001-accounts.ts';
import { createRegistry } from './migrations/0002-registry.ts';
import { createThumbnails } from './migrations/0003-thumbnails.ts';
import { createTransfers } from './migrations/0004-transfers.ts';
import { createJobs } from './migrations/0005-jobs.ts';

type MigrationStep = (db: Executor, dialect: DialectName) => Promise<void>;

/** In order; a released step is never changed, only followed. */
const STEPS: Record<string, MigrationStep> = {
  '0001-accounts': createAccounts,
  '0002-registry': createRegistry,
  '0003-thumbnails': createThumbnails,
  '0004-transfers': createTransfers,
  '0005-jobs': createJobs,
};

/**
 * Runs the migrations that are missing.
 * @throws DatabaseTooNewError when the database has migrations that this program does not know
 */
export async function migrate(database: Database): Promise<void> {
  await refuseNewerDatabase(database);
  const provider = { getMigrations: () => Promise.resolve(migrationsFor(database.dialect)) };
  const { error } = await new Migrator({ db: database.db, provider }).migrateToLatest();
  if (error) throw error instanceof Error ? error : new Error('a migration failed', { cause: error });
}

function migrationsFor(dialect: DialectName): Record<string, Migration> {
  return Object.fromEntries(Object.entries(STEPS).map(([name, step]) => [name, { up: (db) => step(db as Executor, dialect) } satisfies Migration]));
}

async function refuseNewerDatabase({ db }: Database): Promise<void> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === 'kysely_migration')) return;
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  const unknown = rows.map((row) => row.name).filter((name) => !(name in STEPS));
  if (unknown.length > 0) {
    throw new DatabaseTooNewError(`The database was migrated by a newer Berth (${unknown.join(', ')}): start that version or a later one, or restore a backup made before the upgrade.`);
  }
}
