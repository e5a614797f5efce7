// Inserts the rows of a backup into an empty database, table by table, in the schema version of the backup.

import type { BlobStore } from '../blobs/index.ts';
import { appliedMigrations, migrate, type Database } from '../db/index.ts';
import type { CheckedBackup } from './check.ts';
import { RestoreTargetNotEmptyError } from './errors.ts';
import { tablePath } from './layout.ts';
import type { ProgressReport } from './progress.ts';
import { restoreRepository, type Row } from './repository.ts';
import { readTableFile } from './table-file.ts';

/** Limits of one transaction, whichever is reached first. */
const BATCH_ROWS = 500;
const BATCH_LENGTH = 4 * 1024 * 1024;

interface Target extends CheckedBackup {
  database: Database;
  store: BlobStore;
}

/**
 * Marks an empty instance as incompletely restored, so that no server starts on it; accepts one that is marked.
 * @returns whether all rows of this backup are restored already
 * @throws restore_target_not_empty
 */
export async function claimTarget({ database, store, manifest }: Target): Promise<{ rowsDone: boolean }> {
  const repository = restoreRepository(database.db);
  const mark = await repository.findMark();
  if (mark?.snapshot === manifest.snapshot && mark.rowsDone) return { rowsDone: true };
  const newer = (await appliedMigrations(database.db)).filter((name) => !manifest.migrations.includes(name));
  if (newer.length > 0)
    throw new RestoreTargetNotEmptyError(
      `The database schema is newer than the backup (${newer.join(', ')}). Restore into an empty database.`,
    );
  if (!mark) {
    await assertTargetEmpty(database, store);
    await repository.putMark({ snapshot: manifest.snapshot, rowsDone: false });
  }
  return { rowsDone: false };
}

interface RowsOptions extends Target {
  report: ProgressReport;
  signal?: AbortSignal | undefined;
}

/** Fills the tables of a claimed instance, after deleting the rows of an interrupted restore. */
export async function restoreRows({ database, directory, manifest, report, signal }: RowsOptions): Promise<void> {
  const repository = restoreRepository(database.db);
  await repository.deleteRows();
  await repository.putMark({ snapshot: manifest.snapshot, rowsDone: false });
  await migrate(database, { upTo: manifest.migrations.at(-1)! });
  report.begin('rows', { total: manifest.tables.reduce((sum, table) => sum + table.rows, 0) });
  for (const { name } of manifest.tables) {
    const booleanColumns = await repository.findBooleanColumns(name);
    for await (const batch of inBatches(readTableFile(tablePath(directory, manifest.snapshot, name)))) {
      signal?.throwIfAborted();
      const rows = batch.map((row) => (name === 'blobs' ? asSound(row) : withBooleans(row, booleanColumns)));
      await database.transaction((tx) => restoreRepository(tx).insertRows(name, rows));
      report.add(rows.length);
    }
  }
  await repository.putMark({ snapshot: manifest.snapshot, rowsDone: true });
}

/** Throws if the database or the storage contains anything. @throws restore_target_not_empty */
async function assertTargetEmpty({ db }: Database, store: BlobStore): Promise<void> {
  const table = await restoreRepository(db).findFilledTable();
  if (table !== undefined)
    throw new RestoreTargetNotEmptyError(
      `The database is not empty (${table} has rows). Restore into a new DATA_DIR, or set DATABASE_URL to an empty ` +
        'database.',
    );
  const { done } = await store.list()[Symbol.asyncIterator]().next();
  if (!done)
    throw new RestoreTargetNotEmptyError(
      'The storage is not empty. Restore into a new DATA_DIR, or set S3_ROOT_DIR to an empty folder.',
    );
}

/** Whatever the original instance had, the backup has bytes of this digest, or the blob is marked at the end. */
function asSound(row: Row): Row {
  return { ...row, state: 'sound' };
}

function withBooleans(row: Row, booleanColumns: ReadonlySet<string>): Row {
  if (booleanColumns.size === 0) return row;
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      booleanColumns.has(name) && value !== null ? Boolean(value) : value,
    ]),
  );
}

async function* inBatches(rows: AsyncIterable<Row>): AsyncGenerator<Row[]> {
  let batch: Row[] = [];
  let length = 0;
  for await (const row of rows) {
    batch.push(row);
    for (const value of Object.values(row))
      length += typeof value === 'string' || value instanceof Uint8Array ? value.length : 0;
    if (batch.length < BATCH_ROWS && length < BATCH_LENGTH) continue;
    yield batch;
    batch = [];
    length = 0;
  }
  if (batch.length > 0) yield batch;
}
