// The rows of a backup into an empty database, table after table, in the schema that they were in when they were
// backed up.

import { randomUUID } from 'node:crypto';
import type { BlobStore } from '../blobs/index.ts';
import { appliedMigrations, migrate, type Database } from '../db/index.ts';
import type { CheckedBackup } from './check.ts';
import { RestoreTargetNotEmptyError } from './errors.ts';
import { tablePath } from './layout.ts';
import type { ProgressReport } from './progress.ts';
import { restoreRepository, type Row } from './repository.ts';
import { readTableFile } from './table-file.ts';

/** Of one transaction, whichever comes first. */
const BATCH_ROWS = 500;
const BATCH_LENGTH = 4 * 1024 * 1024;

interface RowsOptions extends CheckedBackup {
  database: Database;
  store: BlobStore;
  report: ProgressReport;
  signal?: AbortSignal | undefined;
}

/**
 * Marks the instance as half-restored and fills its tables; what an interrupted restore has left in them goes first.
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
  const beyond = (await appliedMigrations(database.db)).filter((name) => !manifest.migrations.includes(name));
  if (beyond.length > 0)
    throw new RestoreTargetNotEmptyError(
      `The database has tables that are newer than the backup (${beyond.join(', ')}): give an empty database.`,
    );
  await (mark ? repository.deleteRows() : refuseFilled(database, store));
  await repository.putMark({ snapshot: manifest.snapshot, rowsDone: false });
  await migrate(database, { upTo: manifest.migrations.at(-1)! });
  report.begin('rows', { total: manifest.tables.reduce((sum, table) => sum + table.rows, 0) });
  for (const { name } of manifest.tables) {
    const booleans = await repository.findBooleanColumns(name);
    for await (const batch of inBatches(readTableFile(tablePath(directory, manifest.snapshot, name)))) {
      signal?.throwIfAborted();
      const rows = batch.map((row) => (name === 'blobs' ? withoutBytes(row) : withBooleans(row, booleans)));
      await database.transaction((tx) => restoreRepository(tx).insertRows(name, rows));
      report.add(rows.length);
    }
  }
  await repository.putMark({ snapshot: manifest.snapshot, rowsDone: true });
}

async function refuseFilled({ db }: Database, store: BlobStore): Promise<void> {
  const table = await restoreRepository(db).findFilledTable();
  if (table !== undefined)
    throw new RestoreTargetNotEmptyError(
      `The database is not empty (${table} has rows): restore into a new DATA_DIR, or into an empty database ` +
        'that DATABASE_URL names.',
    );
  const { done } = await store.list()[Symbol.asyncIterator]().next();
  if (!done)
    throw new RestoreTargetNotEmptyError(
      'The storage is not empty: restore into a new DATA_DIR, or below another S3_ROOT_DIR.',
    );
}

/** The bytes come later, under a key of their own; until then the key is one that nothing is kept under. */
function withoutBytes(row: Row): Row {
  return { ...row, state: 'missing', storage_key: `restoring/${randomUUID()}` };
}

function withBooleans(row: Row, booleans: ReadonlySet<string>): Row {
  if (booleans.size === 0) return row;
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, booleans.has(name) && value !== null ? Boolean(value) : value]),
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
