// Restores the data that earlier versions have left, see make.ts.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import pg from 'pg';
import type { DialectName } from '../../src/db/index.ts';
import { createTestDatabaseUrl } from '../support/postgres.ts';
import type { Contents } from './fill.ts';

export const DATA_FOLDER = join(import.meta.dirname, 'data');

export const INTERNAL_SECRET = 'internal-secret-0123456789abcdef0123456789';
/** Of the servers on PostgreSQL; the others have theirs in the data directory. */
export const SHARED_SECRETS = {
  API_KEYS_SALT: 'a'.repeat(64),
  CIPHER_PASSWORD: 'b'.repeat(64),
  AUTH_SECRET: 'c'.repeat(64),
};

export interface RestoredData {
  contents: Contents;
  /** Settings of a server on a copy of the data. */
  env: Record<string, string>;
  remove(): Promise<void>;
}

/** The last migrations of the versions whose data is kept, in order. */
export function keptVersions(): string[] {
  return readdirSync(DATA_FOLDER).sort();
}

export async function restoreData(version: string, dialect: DialectName): Promise<RestoredData> {
  const file = (name: string) => join(DATA_FOLDER, version, `${dialect}.${name}`);
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-earlier-'));
  execFileSync('tar', ['-xzf', file('tar.gz'), '-C', dataDir]);
  const database = dialect === 'postgres' ? await createTestDatabaseUrl() : undefined;
  if (database) await load(database.url, gunzipSync(readFileSync(file('sql.gz'))).toString());
  const contents = JSON.parse(readFileSync(file('json'), 'utf8')) as Contents;
  return {
    contents,
    env: {
      DATA_DIR: dataDir,
      SECRET_INTERNAL_SERVICES: INTERNAL_SECRET,
      ...(database && { ...SHARED_SECRETS, DATABASE_URL: database.url }),
    },
    async remove() {
      await database?.drop();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** Runs the statements of a dump, without those that only psql knows. */
async function load(url: string, dump: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(dump.replace(/^\\.*$/gm, ''));
  } finally {
    await client.end();
  }
}
