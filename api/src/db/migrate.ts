// Brings the database to this program's schema at start; Kysely's lock lets one replica do it.

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

type MigrationStep = (db: Executor, dialect: DialectName) => Promise<void>;

/** In order; a released step is never changed, only followed. */
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
};

/**
 * Runs the migrations that are missing; while another replica does, waits for it for an hour at most.
 * @param upTo the last one to run; default all. For a restore, which fills the tables of an older program before they
 *   are changed
 * @throws database_too_new when the database has migrations that this program does not know /
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

/** Names the migrations that this program knows, in order. */
export function knownMigrations(): string[] {
  return Object.keys(STEPS);
}

/** Names the migrations that a database has, in order; none of an empty one. */
export async function appliedMigrations(db: Executor): Promise<string[]> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === 'kysely_migration')) return [];
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  return rows.map((row) => row.name);
}

/**
 * Refuses a database that is not at this program's schema, and returns the migrations that it has.
 * @throws database_too_new, database_too_old
 */
export async function refuseOtherSchema(db: Executor): Promise<string[]> {
  const applied = await appliedMigrations(db);
  refuseUnknown(applied);
  const missing = knownMigrations().filter((name) => !applied.includes(name));
  if (applied.length === 0)
    throw new DatabaseTooOldError('The database holds no Berth: check DATA_DIR and DATABASE_URL.');
  if (missing.length > 0)
    throw new DatabaseTooOldError(
      `The database is one of an older Berth and lacks ${missing.join(', ')}: use that Berth's own command, or ` +
        'upgrade the server or run berth migrate first.',
    );
  return applied;
}

function refuseUnknown(applied: readonly string[]): void {
  const unknown = applied.filter((name) => !(name in STEPS));
  if (unknown.length > 0) {
    throw new DatabaseTooNewError(
      `The database was migrated by a newer Berth (${unknown.join(', ')}): start that version or a later one, or ` +
        'restore a backup made before the upgrade.',
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
