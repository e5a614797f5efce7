// Reads the stored state of a server directly: rows of its database and files of its storage.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { eventually } from './eventually.ts';
import type { TestS3 } from './s3.ts';

/** Locates the database of a server. */
interface WithDatabase {
  server: { config: { DATA_DIR: string; DATABASE_URL?: string } };
}

/** Locates its storage as well. */
export interface WithStorage extends WithDatabase {
  dataDir: string;
  s3?: TestS3 | undefined;
}

/** Runs one statement on the server's database, on a separate connection. */
export async function query<Row extends object = Record<string, unknown>>(
  { server: { config } }: WithDatabase,
  statement: string,
): Promise<Row[]> {
  if (config.DATABASE_URL === undefined) {
    const database = new DatabaseSync(join(config.DATA_DIR, 'berth.db'));
    try {
      return database
        .prepare(statement)
        .all()
        .map((row) => ({ ...row }) as Row);
    } finally {
      database.close();
    }
  }
  const client = new pg.Client({ connectionString: config.DATABASE_URL });
  await client.connect();
  try {
    return (await client.query<Row>(statement)).rows;
  } finally {
    await client.end();
  }
}

/** An expression that identifies a row, for each table that uploads write. */
const ROWS = {
  artefacts: `id || ' ' || data_updated_at`,
  slots: `artefact_id || ' ' || architecture || ' ' || digest`,
  tarball_scans: 'digest',
  file_index_parts: `digest || ' ' || part`,
  blobs: `digest || ' ' || storage_key`,
  blob_writers: 'storage_key',
};

export type StoredState = Record<keyof typeof ROWS | 'files', string[]>;

/** Everything that an upload may leave, as sorted lists of short texts. */
export async function readStoredState(server: WithStorage): Promise<StoredState> {
  const selects = Object.entries(ROWS).map(([table, row]) => `select '${table}' as kind, ${row} as it from ${table}`);
  const rows = await query<{ kind: string; it: string }>(server, selects.join(' union all '));
  const of = (table: string) =>
    rows
      .filter(({ kind }) => kind === table)
      .map(({ it }) => it)
      .sort();
  return {
    artefacts: of('artefacts'),
    slots: of('slots'),
    tarball_scans: of('tarball_scans'),
    file_index_parts: of('file_index_parts'),
    blobs: of('blobs'),
    blob_writers: of('blob_writers'),
    files: await listFiles(server),
  };
}

/** Lists the names of all files or objects of the storage, including unfinished ones, without folders. */
export async function listFiles({ dataDir, s3 }: WithStorage): Promise<string[]> {
  if (s3) return (await s3.leftovers()).map((name) => name.split('/').at(-1) ?? '').sort();
  // Empty folders are deleted, also while they are listed.
  const entries = await eventually(() => readdir(join(dataDir, 'blobs'), { recursive: true, withFileTypes: true }));
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();
}

/** Records the stored state. @returns a function that asserts that the state is the same, once it has settled */
export async function rememberStored(server: WithStorage): Promise<() => Promise<void>> {
  await assertTidy(server);
  const before = await readStoredState(server);
  return () =>
    eventually(async () => {
      assert.deepEqual(await readStoredState(server), before);
    });
}

/** Waits until no write is in progress and the files of the storage are exactly those of the blobs. */
export async function assertTidy(server: WithStorage): Promise<void> {
  await eventually(async () => {
    const { blob_writers, blobs, files } = await readStoredState(server);
    assert.deepEqual(blob_writers, []);
    assert.deepEqual(files, blobs.map((blob) => blob.split('/').at(-1)).sort());
  });
}
