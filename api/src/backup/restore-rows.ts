// Inserts the rows of a backup into an empty database, table by table, in the schema version of the backup.

import { randomUUID } from 'node:crypto';
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

interface RowsOptions extends CheckedBackup {
  database: Database;
  store: BlobStore;
  report: ProgressReport;
  signal?: AbortSignal | undefined;
}

/**
 * Marks the instance as incompletely restored and fills its tables. Rows left by an interrupted restore are deleted
 * first.
 * @throws restore_target_not_empty
 */
export async function restoreRows({
  database,
  store,
  directory,
  manifest,
  report,
  signal,
}: RowsOptions): Promise<void> {
  const repository = restoreRepository(database.db);
  const mark = await repository.findMark();
  if (mark?.snapshot === manifest.snapshot && mark.rowsDone) return;
  const newer = (await appliedMigrations(database.db)).filter((name) => !manifest.migrations.includes(name));
  if (newer.length > 0)
    throw new RestoreTargetNotEmptyError(
      `The database schema is newer than the backup (${newer.join(', ')}). Restore into an empty database.`,
    );
  await (mark ? repository.deleteRows() : assertTargetEmpty(database, store));
  await repository.putMark({ snapshot: manifest.snapshot, rowsDone: false });
  await migrate(database, { upTo: manifest.migrations.at(-1)! });
  report.begin('rows', { total: manifest.tables.reduce((sum, table) => sum + table.rows, 0) });
  for (const { name } of manifest.tables) {
    const booleanColumns = await repository.findBooleanColumns(name);
    for await (const batch of inBatches(readTableFile(tablePath(directory, manifest.snapshot, name)))) {
      signal?.throwIfAborted();
      const rows = batch.map((row) => (name === 'blobs' ? withoutBytes(row) : withBooleans(row, booleanColumns)));
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

/** Marks a blob as missing, under a key without an object. Its bytes are uploaded later, under a new key. */
function withoutBytes(row: Row): Row {
  return { ...row, state: 'missing', storage_key: `restoring/${randomUUID()}` };
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
