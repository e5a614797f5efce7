// A migration that has run somewhere is never changed: its code and the schema that it leaves are pinned.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import ts from 'typescript';
import { migrate, type Database } from '../../src/db/index.ts';
import { knownMigrations } from '../../src/db/migrate.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';

const FOLDER = join(import.meta.dirname, '../../src/db/migrations');
const PINNED_FILE = 'api/test/db/pinned-migrations.json';
const PINNED = JSON.parse(readFileSync(join(import.meta.dirname, 'pinned-migrations.json'), 'utf8')) as Record<
  string,
  Record<string, string>
>;

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Without comments and layout. */
function codeOf(file: string): string {
  const { outputText } = ts.transpileModule(readFileSync(join(FOLDER, file), 'utf8'), {
    compilerOptions: { target: ts.ScriptTarget.ESNext, removeComments: true },
  });
  return outputText.replace(/\s+/g, ' ');
}

async function schemaOf({ db, dialect }: Database): Promise<string> {
  const { rows } =
    dialect === 'sqlite'
      ? await sql`select sql from sqlite_master where name not like 'kysely%'`.execute(db)
      : await sql`
          select table_name, column_name, data_type, is_nullable, column_default, '' as more
            from information_schema.columns where table_schema = 'public' and table_name not like 'kysely%'
          union all select tablename, indexname, indexdef, '', '', '' from pg_indexes
            where schemaname = 'public' and tablename not like 'kysely%'
          union all select conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', '', '' from pg_constraint
            where connamespace = 'public'::regnamespace and conrelid::regclass::text not like 'kysely%'
              and contype <> 'n'`.execute(db);
  // Sorted here: databases collate differently.
  return rows
    .map((row) => JSON.stringify(row))
    .sort()
    .join();
}

test('the code of migrations, and the schema after each, are those that have run', async () => {
  const present: typeof PINNED = {};
  for (const file of readdirSync(FOLDER).sort()) present[file.replace('.ts', '')] = { code: hash(codeOf(file)) };
  for (const dialect of DIALECTS) {
    const { database, close } = await openTestDatabase(dialect, { migrated: false });
    for (const name of knownMigrations()) {
      await migrate(database, { upTo: name });
      Object.assign((present[name] ??= {}), { [dialect]: hash(await schemaOf(database)) });
    }
    await close();
  }
  assert.deepEqual(
    present,
    PINNED,
    `Add a migration instead of changing one. Until a new one has landed, write its line into ${PINNED_FILE}:\n` +
      JSON.stringify(present, null, 2),
  );
});
