// What a server keeps, seen from behind its back: rows of its database and files of its storage.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { eventually } from './eventually.ts';
import type { TestS3 } from './s3.ts';

/** What tells where the database of a server is. */
interface WithDatabase {
  server: { config: { DATA_DIR: string; DATABASE_URL?: string } };
}

/** What tells where its storage is, too. */
export interface WithStorage extends WithDatabase {
  dataDir: string;
  s3?: TestS3 | undefined;
}

/** Runs one statement on the server's database, over a connection of its own. */
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

/** What identifies a row of each table that an upload writes. */
const ROWS = {
  artefacts: `id || ' ' || data_updated_at`,
  slots: `artefact_id || ' ' || architecture || ' ' || digest`,
  tarball_scans: 'digest',
  file_index_parts: `digest || ' ' || part`,
  blobs: `digest || ' ' || storage_key`,
  blob_writers: 'storage_key',
};

export type StoredState = Record<keyof typeof ROWS | 'files', string[]>;

/** Everything that an upload may leave, each as a sorted list of short texts. */
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

/** Lists the files or objects of the storage, unfinished ones too, without their folders. */
export async function listFiles({ dataDir, s3 }: WithStorage): Promise<string[]> {
  if (s3) return (await s3.leftovers()).map((name) => name.split('/').at(-1) ?? '').sort();
  // A folder that empties goes away, while it is listed too.
  const entries = await eventually(() => readdir(join(dataDir, 'blobs'), { recursive: true, withFileTypes: true }));
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();
}

/** Remembers what is stored; the function that it returns fails when anything else is, once all has settled. */
export async function rememberStored(server: WithStorage): Promise<() => Promise<void>> {
  await assertTidy(server);
  const before = await readStoredState(server);
  return () =>
    eventually(async () => {
      assert.deepEqual(await readStoredState(server), before);
    });
}

/** Waits until nobody writes any more and every file of the storage is one that a blob names, and none is missing. */
export async function assertTidy(server: WithStorage): Promise<void> {
  await eventually(async () => {
    const { blob_writers, blobs, files } = await readStoredState(server);
    assert.deepEqual(blob_writers, []);
    assert.deepEqual(files, blobs.map((blob) => blob.split('/').at(-1)).sort());
  });
}
