// Reads and inserts the rows of any table, whatever its columns, and stores the marker of a restore in progress.

import { sql, type Kysely } from 'kysely';
import { isReferredTo } from '../blobs/index.ts';
import {
  batches,
  rowBatches,
  streamRows,
  type Database,
  type DialectName,
  type Executor,
  type Tx,
} from '../db/index.ts';
import { BACKED_UP_TABLES, type BackedUpTable } from './tables.ts';

export type Row = Record<string, unknown>;
/** Tables whose columns are only known at run time. */
type AnyTables = Kysely<Record<string, Row>>;

/** Created by a restore before its first row and dropped after its last byte. Not part of any migration. */
const MARK_TABLE = 'restore_incomplete';

/** Parameters of one statement. */
const MARKED_AT_ONCE = 500;

/** State of a restore in progress. */
export interface RestoreMark {
  /** Name of the snapshot being restored. */
  snapshot: string;
  /** All rows are restored; only blobs may be missing. */
  rowsDone: boolean;
}

/** Yields the rows of a table as the database driver returns them, without generated columns. */
export async function* readRows(
  snapshot: Executor,
  dialect: DialectName,
  { name, orderBy, generated = [], blobColumn }: BackedUpTable,
): AsyncGenerator<Row> {
  let query = untyped(snapshot).selectFrom(name).selectAll();
  if (blobColumn !== undefined) query = query.where(isReferredTo(`${name}.${blobColumn}`));
  for (const column of orderBy) query = query.orderBy(column);
  for await (const row of streamRows<Row>(snapshot, dialect, query)) {
    for (const column of generated) delete row[column];
    yield row;
  }
}

/** Counts the rows of all tables. An upper bound: includes unreferenced rows that the backup leaves out. */
export async function countRows(snapshot: Executor): Promise<number> {
  let count = 0;
  for (const { name } of BACKED_UP_TABLES) {
    const row = await untyped(snapshot)
      .selectFrom(name)
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    count += Number(row.count);
  }
  return count;
}

export function restoreRepository(executor: Executor | Tx) {
  return {
    async findMark(): Promise<RestoreMark | undefined> {
      const tables = await executor.introspection.getTables();
      if (!tables.some(({ name }) => name === MARK_TABLE)) return undefined;
      const row = await untyped(executor).selectFrom(MARK_TABLE).selectAll().executeTakeFirst();
      return row && { snapshot: String(row['snapshot']), rowsDone: row['rows_done'] === 1 };
    },

    async putMark({ snapshot, rowsDone }: RestoreMark): Promise<void> {
      await executor.schema
        .createTable(MARK_TABLE)
        .ifNotExists()
        .addColumn('snapshot', 'text')
        .addColumn('rows_done', 'integer')
        .execute();
      await untyped(executor).deleteFrom(MARK_TABLE).execute();
      await untyped(executor)
        .insertInto(MARK_TABLE)
        .values({ snapshot, rows_done: rowsDone ? 1 : 0 })
        .execute();
    },

    async dropMark(): Promise<void> {
      await executor.schema.dropTable(MARK_TABLE).execute();
    },

    /** Finds a table that has rows. */
    async findFilledTable(): Promise<string | undefined> {
      for (const name of await presentTables()) {
        if (
          await untyped(executor)
            .selectFrom(name)
            .select(sql`1`.as('it'))
            .limit(1)
            .executeTakeFirst()
        )
          return name;
      }
      return undefined;
    },

    /** Deletes the rows of every table. */
    async deleteRows(): Promise<void> {
      for (const name of (await presentTables()).reverse()) await untyped(executor).deleteFrom(name).execute();
    },

    /** Finds the boolean columns of a table. Only PostgreSQL has them; SQLite stores numbers. */
    async findBooleanColumns(table: string): Promise<Set<string>> {
      const tables = await executor.introspection.getTables();
      const columns = tables.find(({ name }) => name === table)?.columns ?? [];
      return new Set(columns.filter(({ dataType }) => dataType === 'bool').map(({ name }) => name));
    },

    async insertRows(table: string, rows: readonly Row[]): Promise<void> {
      for (const batch of rowBatches(rows)) await untyped(executor).insertInto(table).values(batch).execute();
    },

    /** Records which blobs could not be restored. */
    async markMissing(digests: readonly string[]): Promise<void> {
      for (const batch of batches(digests, MARKED_AT_ONCE))
        await executor.updateTable('blobs').set({ state: 'missing' }).where('digest', 'in', batch).execute();
    },
  };

  async function presentTables(): Promise<string[]> {
    const present = new Set((await executor.introspection.getTables()).map(({ name }) => name));
    return BACKED_UP_TABLES.map(({ name }) => name).filter((name) => present.has(name));
  }
}

/** Checks whether a restore of this database was interrupted. */
export async function isRestoreIncomplete(database: Database): Promise<boolean> {
  return (await restoreRepository(database.db).findMark()) !== undefined;
}

function untyped(executor: Executor | Tx): AnyTables {
  return executor as unknown as AnyTables;
}
