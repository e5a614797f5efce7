// Splits the file indexes of tarballs, each one JSON array in `tarball_scans`, into parts of some hundred files.

import { sql } from 'kysely';
import type { DialectName, Executor } from '../database.ts';
import { columnTypes } from './columns.ts';

/** Approximate length of a part, in characters. */
const PART_LENGTH = 128 * 1024;
/** Boundary between two entries; cannot occur inside a string, where quotes are escaped. */
const SEPARATOR = '},{"';
/** Indexes per transaction on SQLite. */
const BATCH_SIZE = 50;

/**
 * Earlier versions ran this without a transaction on SQLite; after an interruption it starts again, since it drops
 * `files` last.
 */
export async function splitFileIndexes(db: Executor, dialect: DialectName): Promise<void> {
  const { text } = columnTypes(dialect);
  await db.schema
    .createTable('file_index_parts')
    .ifNotExists()
    .addColumn('digest', text, (c) => c.notNull().references('tarball_scans.digest').onDelete('cascade'))
    .addColumn('part', 'integer', (c) => c.notNull())
    .addColumn('entries', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('file_index_parts_pk', ['digest', 'part'])
    .execute();
  if (!(await hasFilesColumn(db))) return;
  for (let digests = await nextDigests(db, ''); digests.length > 0; digests = await nextDigests(db, digests.at(-1)!)) {
    const splitAll = async (tx: Executor) => {
      for (const digest of digests) await split(tx, digest);
    };
    await (db.isTransaction ? splitAll(db) : db.transaction().execute(splitAll));
  }
  await db.schema.alterTable('tarball_scans').dropColumn('files').execute();
}

async function hasFilesColumn(db: Executor): Promise<boolean> {
  const tables = await db.introspection.getTables();
  const scans = tables.find(({ name }) => name === 'tarball_scans');
  return scans?.columns.some(({ name }) => name === 'files') === true;
}

async function nextDigests(db: Executor, after: string): Promise<string[]> {
  const { rows } = await sql<{ digest: string }>`select digest from tarball_scans where digest > ${after}
    order by digest limit ${sql.lit(BATCH_SIZE)}`.execute(db);
  return rows.map(({ digest }) => digest);
}

async function split(tx: Executor, digest: string): Promise<void> {
  await tx.deleteFrom('file_index_parts').where('digest', '=', digest).execute();
  const { rows } = await sql<{ files: string }>`select files from tarball_scans where digest = ${digest}`.execute(tx);
  let part = 0;
  for (const entries of partsOf(rows[0]?.files ?? '[]')) {
    await tx.insertInto('file_index_parts').values({ digest, part, entries }).execute();
    part++;
  }
}

function* partsOf(json: string): Generator<string> {
  const end = json.length - 1;
  for (let start = 1; start < end;) {
    const separator = json.indexOf(SEPARATOR, start + PART_LENGTH);
    const partEnd = separator < 0 ? end : separator + 1;
    yield `[${json.slice(start, partEnd)}]`;
    start = partEnd + 1;
  }
}
