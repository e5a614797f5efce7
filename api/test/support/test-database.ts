// A migrated SQLite or PostgreSQL database for unit tests.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, migrate, type Database, type DatabaseOptions, type DialectName } from '../../src/db/index.ts';
import { createTestDatabaseUrl } from './postgres.ts';

/** The databases that every SQL test runs on. */
export const DIALECTS = ['sqlite', 'postgres'] as const satisfies DialectName[];

export interface TestDatabase {
  database: Database;
  /** `postgres://…`, or the path of the SQLite file; for opening it again. */
  url: string;
  close: () => Promise<void>;
}

export interface TestDatabaseOptions extends Omit<DatabaseOptions, 'url'> {
  /** Default true. */
  migrated?: boolean;
}

export async function openTestDatabase(
  dialect: DialectName,
  { migrated = true, ...options }: TestDatabaseOptions = {},
): Promise<TestDatabase> {
  const created = dialect === 'postgres' ? await createPostgres(migrated) : await createSqlite();
  const database = createDatabase({ url: created.url, ...options });
  if (migrated && dialect === 'sqlite') await migrate(database);
  return {
    database,
    url: created.url,
    close: async () => {
      await database.close();
      await created.remove();
    },
  };
}

async function createPostgres(migrated: boolean): Promise<{ url: string; remove: () => Promise<void> }> {
  const created = await createTestDatabaseUrl({ migrated });
  return { url: created.url, remove: () => created.drop() };
}

async function createSqlite(): Promise<{ url: string; remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-database-'));
  return { url: join(directory, 'berth.db'), remove: () => rm(directory, { recursive: true }) };
}
