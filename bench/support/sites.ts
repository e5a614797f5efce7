// Where Berths of a bench keep what they keep, and a look at it from behind their backs.

import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { startPostgres } from './postgres.ts';

export interface Site extends AsyncDisposable {
  dataDir: string;
  /** Settings beside DATA_DIR. */
  env: Record<string, string>;
  /** Reads rows of the database. */
  query<Row extends object>(statement: string): Promise<Row[]>;
  /** Size of the bytes under a storage key; -1 when there are none. */
  sizeOf(storageKey: string): Promise<number>;
}

/** What a start without any setting uses. */
export async function openEmbeddedSite(): Promise<Site> {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-site-'));
  return {
    dataDir,
    env: {},
    query: async <Row extends object>(statement: string) => {
      const database = new DatabaseSync(join(dataDir, 'berth.db'), { readOnly: true });
      try {
        return database.prepare(statement).all().map((row) => ({ ...row }) as Row);
      } finally {
        database.close();
      }
    },
    sizeOf: (storageKey) => sizeOfFile(dataDir, storageKey),
    [Symbol.asyncDispose]: () => rm(dataDir, { recursive: true, force: true }),
  };
}

/** PostgreSQL, flushed to the disk, and files in one directory that every replica reaches. */
export async function openSharedSite(): Promise<Site> {
  const postgres = await startPostgres();
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-site-'));
  const pool = new pg.Pool({ connectionString: postgres.url, max: 1 });
  return {
    dataDir,
    env: { DATABASE_URL: postgres.url },
    query: async <Row extends object>(statement: string) => (await pool.query<Row>(statement)).rows,
    sizeOf: (storageKey) => sizeOfFile(dataDir, storageKey),
    async [Symbol.asyncDispose]() {
      await pool.end();
      await postgres[Symbol.asyncDispose]();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

function sizeOfFile(dataDir: string, storageKey: string): Promise<number> {
  return stat(join(dataDir, 'blobs', storageKey)).then((file) => file.size, () => -1);
}
