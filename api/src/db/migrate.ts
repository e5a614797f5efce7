// Migrates the database to this program's schema at start. Kysely's lock lets only one replica do so.

import { Migrator, type Migration } from 'kysely/migration';
import { sql } from 'kysely';
import type { Database, DialectName, Executor } from './database.ts';
import { DatabaseTooNewError, DatabaseTooOldError } from './errors.ts';
import { createAccounts } from './migrations/0001-accounts.ts';
import { createRegistry } from './migrations/0002-registry.ts';
import { createThumbnails } from './migrations/0003-thumbnails.ts';
import { createTransfers } from './migrations/0004-transfers.ts';
import { createJobs } from './migrations/0005-jobs.ts';
import { createResumableUploads } from './migrations/0006-resumable-uploads.ts';
import { createRemotes } from './migrations/0007-remotes.ts';
import { createGuards } from './migrations/0008-guards.ts';
import { createTrustedPublishers } from './migrations/0009-trusted-publishers.ts';
import { splitFileIndexes } from './migrations/0010-file-index.ts';
import { addSyncErrorCodes } from './migrations/0011-sync-error-codes.ts';
import { createIdentities } from './migrations/0012-identities.ts';
import { restrictTrustedPublishers } from './migrations/0013-pipelines.ts';
import { addSecretFingerprints } from './migrations/0014-secrets.ts';
import { addBounds } from './migrations/0015-bounds.ts';
import { countUnendedRuns } from './migrations/0016-parked-runs.ts';
import { addTarballWarnings } from './migrations/0017-portability.ts';
import { addListOrders } from './migrations/0018-list-orders.ts';
import { versionStoredShapes } from './migrations/0019-stored-shapes.ts';
import { createEvents } from './migrations/0020-events.ts';

type MigrationStep = (db: Executor, dialect: DialectName) => Promise<void>;

/** In order. A released step is never changed. */
const STEPS: Record<string, MigrationStep> = {
  '0001-accounts': createAccounts,
  '0002-registry': createRegistry,
  '0003-thumbnails': createThumbnails,
  '0004-transfers': createTransfers,
  '0005-jobs': createJobs,
  '0006-resumable-uploads': createResumableUploads,
  '0007-remotes': createRemotes,
  '0008-guards': createGuards,
  '0009-trusted-publishers': createTrustedPublishers,
  '0010-file-index': splitFileIndexes,
  '0011-sync-error-codes': addSyncErrorCodes,
  '0012-identities': createIdentities,
  '0013-pipelines': restrictTrustedPublishers,
  '0014-secrets': addSecretFingerprints,
  '0015-bounds': addBounds,
  '0016-parked-runs': countUnendedRuns,
  '0017-portability': addTarballWarnings,
  '0018-list-orders': addListOrders,
  '0019-stored-shapes': versionStoredShapes,
  '0020-events': createEvents,
};

/**
 * Runs the missing migrations.
 * Waits up to an hour while another replica runs them.
 * @param upTo the last migration to run; default all. For a restore, which fills the tables of an older schema before
 *   migrating them further
 * @throws database_too_new if the database has migrations that this program does not know
 */
export async function migrate(database: Database, { upTo }: { upTo?: string } = {}): Promise<void> {
  const provider = { getMigrations: () => Promise.resolve(migrationsFor(database.dialect)) };
  const { error } = await database.withoutTimeouts(async (db) => {
    refuseUnknown(await appliedMigrations(db));
    const migrator = new Migrator({ db, provider });
    return upTo === undefined ? migrator.migrateToLatest() : migrator.migrateTo(upTo);
  });
  if (error) throw error instanceof Error ? error : new Error('a migration failed', { cause: error });
}

/** Names of all migrations of this program, in order. */
export function knownMigrations(): string[] {
  return Object.keys(STEPS);
}

/** Names of the migrations that a database has, in order; empty for an empty database. */
export async function appliedMigrations(db: Executor): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === 'kysely_migration')) return [];
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return rows.map((row) => row.name);
}

/**
 * Asserts that the database has exactly this program's schema, and returns its migrations.
 * @throws database_too_new, database_too_old
 */
export async function assertCurrentSchema(db: Executor): Promise<string[]> {
  const applied = await appliedMigrations(db);
  refuseUnknown(applied);
  const missing = knownMigrations().filter((name) => !applied.includes(name));
  if (applied.length === 0)
    throw new DatabaseTooOldError('The database contains no Berth tables: check DATA_DIR and DATABASE_URL.');
  if (missing.length > 0)
    throw new DatabaseTooOldError(
      `The database belongs to an older Berth and lacks ${missing.join(', ')}: use the berth command of that ` +
        'version, or first upgrade the server or run berth migrate.',
    );
  return applied;
}

function refuseUnknown(applied: readonly string[]): void {
  const unknown = applied.filter((name) => !(name in STEPS));
  if (unknown.length > 0) {
    throw new DatabaseTooNewError(
      `The database was migrated by a newer Berth (${unknown.join(', ')}): start that version or a later one, or ` +
        'restore a backup from before the upgrade.',
    );
  }
}

function migrationsFor(dialect: DialectName): Record<string, Migration> {
  return Object.fromEntries(
    Object.entries(STEPS).map(([name, step]) => [
      name,
      { up: (db) => step(db as Executor, dialect) } satisfies Migration,
    ]),
  );
}
