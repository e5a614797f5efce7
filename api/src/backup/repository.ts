// Reads every row of a table and writes them elsewhere, whatever its columns; and keeps the mark of a restore under
// way.

import { sql, type Kysely } from 'kysely';
import { streamRows, type Database, type DialectName, type Executor, type Tx } from '../db/index.ts';
import { BACKED_UP_TABLES, type BackedUpTable } from './tables.ts';

export type Row = Record<string, unknown>;
/** Tables whose columns are known when the program runs, not before. */
type AnyTables = Kysely<Record<string, Row>>;

/** Made by a restore before its first row, and dropped after its last byte. No migration knows it. */
const MARK_TABLE = 'restore_incomplete';
/** Of one statement: SQLite allows 32,766 (https://sqlite.org/limits.html), PostgreSQL twice as many. */
const MAX_PARAMETERS = 30_000;

/** What a restore under way has come to. */
export interface RestoreMark {
  /** Which backup is restored: the name of its snapshot. */
  snapshot: string;
  /** All rows are there; what is left are bytes. */
  rowsDone: boolean;
}

/** Yields the rows of a table as the database's driver gives them, without what the database fills by itself. */
export async function* readRows(
  snapshot: Executor,
  dialect: DialectName,
  { name, orderBy, generated = [], blobColumn }: BackedUpTable,
): AsyncGenerator<Row> {
  let query = loose(snapshot).selectFrom(name).selectAll();
  if (blobColumn !== undefined)
    query = query.where((eb) =>
      eb.exists(
        eb
          .selectFrom('slots')
          .select(sql`1`.as('it'))
          .whereRef('slots.digest', '=', `${name}.${blobColumn}`),
      ),
    );
  for (const column of orderBy) query = query.orderBy(column);
  for await (const row of streamRows<Row>(snapshot, dialect, query)) {
    for (const column of generated) delete row[column];
    yield row;
  }
}

/** Counts the rows of all tables, about: those that only garbage is in are counted too. */
export async function countRows(snapshot: Executor): Promise<number> {
  let count = 0;
  for (const { name } of BACKED_UP_TABLES) {
    const row = await loose(snapshot)
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
      const row = await loose(executor).selectFrom(MARK_TABLE).selectAll().executeTakeFirst();
      return row && { snapshot: String(row['snapshot']), rowsDone: row['rows_done'] === 1 };
    },

    async putMark({ snapshot, rowsDone }: RestoreMark): Promise<void> {
      await executor.schema
        .createTable(MARK_TABLE)
        .ifNotExists()
        .addColumn('snapshot', 'text')
        .addColumn('rows_done', 'integer')
        .execute();
      await loose(executor).deleteFrom(MARK_TABLE).execute();
      await loose(executor)
        .insertInto(MARK_TABLE)
        .values({ snapshot, rows_done: rowsDone ? 1 : 0 })
        .execute();
    },

    async dropMark(): Promise<void> {
      await executor.schema.dropTable(MARK_TABLE).execute();
    },

    /** Names the first table that has rows. */
    async findFilledTable(): Promise<string | undefined> {
      for (const name of await presentTables()) {
        if (
          await loose(executor)
            .selectFrom(name)
            .select(sql`1`.as('it'))
            .limit(1)
            .executeTakeFirst()
        )
          return name;
      }
      return undefined;
    },

    /** Empties every table. */
    async deleteRows(): Promise<void> {
      for (const name of (await presentTables()).reverse()) await loose(executor).deleteFrom(name).execute();
    },

    /** Names the columns that PostgreSQL has a boolean for, and SQLite a number. */
    async findBooleanColumns(table: string): Promise<Set<string>> {
      const tables = await executor.introspection.getTables();
      const columns = tables.find(({ name }) => name === table)?.columns ?? [];
      return new Set(columns.filter(({ dataType }) => dataType === 'bool').map(({ name }) => name));
    },

    async insertRows(table: string, rows: readonly Row[]): Promise<void> {
      const atOnce = Math.floor(MAX_PARAMETERS / Object.keys(rows[0] ?? {}).length);
      for (let from = 0; from < rows.length; from += atOnce)
        await loose(executor)
          .insertInto(table)
          .values(rows.slice(from, from + atOnce))
          .execute();
    },

    /** Lists the digests whose bytes are not there yet. */
    async listMissingBlobs(): Promise<{ digest: string; sizeBytes: number }[]> {
      const rows = await executor
        .selectFrom('blobs')
        .select(['digest', 'size'])
        .where('state', '<>', 'sound')
        .orderBy('digest')
        .execute();
      return rows.map(({ digest, size }) => ({ digest, sizeBytes: size }));
    },
  };

  async function presentTables(): Promise<string[]> {
    const present = new Set((await executor.introspection.getTables()).map(({ name }) => name));
    return BACKED_UP_TABLES.map(({ name }) => name).filter((name) => present.has(name));
  }
}

/** Tells whether a restore of this database has been interrupted. */
export async function isHalfRestored(database: Database): Promise<boolean> {
  return (await restoreRepository(database.db).findMark()) !== undefined;
}

function loose(executor: Executor | Tx): AnyTables {
  return executor as unknown as AnyTables;
}
