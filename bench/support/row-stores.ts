// Reads and writes rows of SQLite and PostgreSQL for the catalogue, while no server runs.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import type { Row, RowStore } from './catalogue.ts';
import { requireTool } from './tools.ts';

const run = promisify(execFile);
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/** Characters of CSV per chunk. */
const CHUNK_LENGTH = 1024 * 1024;

/** The embedded database in a data directory. */
export function sqliteRows(dataDir: string): RowStore {
  const database = new DatabaseSync(join(dataDir, 'berth.db'));
  return {
    readRows: async (table, column, text) =>
      database.prepare(`select * from ${table} where instr(${column}, ?) > 0`).all(text) as Row[],
    async writeRows(table, columns, rows) {
      database.exec('begin');
      const insert = database.prepare(
        `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`,
      );
      for (const row of rows) insert.run(...Object.values(row));
      database.exec('commit');
    },
    run: async (statement) => {
      database.exec(statement);
    },
    settle: async () => {
      database.exec('pragma wal_checkpoint(truncate)');
    },
    [Symbol.dispose]: () => {
      database.close();
    },
  };
}

/** A PostgreSQL database, through psql. */
export function postgresRows(url: string): RowStore {
  const psql = [requireTool('psql', 'postgresql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', url] as const;
  const execute = async (statement: string) =>
    (await run(psql[0], [...psql.slice(1), '-c', statement], { maxBuffer: MAX_OUTPUT_BYTES })).stdout;
  return {
    async readRows(table, column, text) {
      const lines = await execute(`select row_to_json(it) from ${table} as it where strpos(${column}, '${text}') > 0`);
      return lines
        .trim()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Row);
    },
    async writeRows(table, columns, rows) {
      const copy = spawn(
        psql[0],
        [...psql.slice(1), '-c', `copy ${table} (${columns.join(', ')}) from stdin (format csv)`],
        { stdio: ['pipe', 'ignore', 'inherit'] },
      );
      const exited = once(copy, 'exit');
      await pipeline(Readable.from(csv(rows)), copy.stdin);
      if ((await exited)[0] !== 0) throw new Error(`copying rows to ${table} failed`);
    },
    run: async (statement) => {
      await execute(statement);
    },
    settle: async () => {
      await execute('vacuum analyze');
    },
    [Symbol.dispose]: () => undefined,
  };
}

function* csv(rows: Iterable<Row>): Generator<string> {
  let chunk = '';
  for (const row of rows) {
    chunk += toLine(row);
    if (chunk.length < CHUNK_LENGTH) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk;
}

function toLine(row: Row): string {
  return `${Object.values(row)
    .map((value) => (value === null ? '' : `"${String(value).replaceAll('"', '""')}"`))
    .join(',')}\n`;
}
