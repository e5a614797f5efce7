// A migrated database of either kind, for tests below the server.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDatabase, migrate, type Database, type DatabaseOptions, type DialectName } from '../../src/db/index.ts';
import { createTestDatabaseUrl } from './postgres.ts';

/** The databases that every test of SQL runs on. */
export const DIALECTS = ['sqlite', 'postgres'] as const satisfies DialectName[];

export interface TestDatabase {
  database: Database;
  /** `postgres://…`, or the path of the SQLite file, for opening it a second time. */
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
  const place = dialect === 'postgres' ? await postgresPlace(migrated) : await sqlitePlace();
  const database = createDatabase({ url: place.url, ...options });
  if (migrated && dialect === 'sqlite') await migrate(database);
  return {
    database,
    url: place.url,
    close: async () => {
      await database.close();
      await place.remove();
    },
  };
}

async function postgresPlace(migrated: boolean): Promise<{ url: string; remove: () => Promise<void> }> {
  const created = await createTestDatabaseUrl({ migrated });
  return { url: created.url, remove: () => created.drop() };
}

async function sqlitePlace(): Promise<{ url: string; remove: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'berth-database-'));
  return { url: join(directory, 'berth.db'), remove: () => rm(directory, { recursive: true }) };
}
