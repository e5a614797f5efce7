// How the databases find events: by an index, from where a reader is, however many are kept.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Kysely, sql, type CompiledQuery } from 'kysely';
import type { Executor, Schema } from '../../src/db/index.ts';
import { postgresDialect, openPostgres } from '../../src/db/postgres.ts';
import { openSqlite, sqliteDialect } from '../../src/db/sqlite.ts';
import { eventRepository } from '../../src/events/repository.ts';
import { DIALECTS, openTestDatabase } from '../support/test-database.ts';

const EVENTS = 20_000;
const SUBJECTS = 50;

/** What a statement may do with the table, by the database. */
const ALLOWED = {
  // Single columns: SQLite would use the first of a pair only, and read all that is before the place.
  sqlite: [
    /^SEARCH events USING INTEGER PRIMARY KEY \(rowid>\?\)$/,
    /^SEARCH events USING INDEX events_subject \(subject=\? AND seq>\?\)$/,
    /^SEARCH events USING INDEX events_audience \(subject=\? AND seq>\?\)$/,
    /^SEARCH events USING INDEX sqlite_autoindex_events_\d \(id=\?\)$/,
    // The newest event.
    /^SCAN events$/,
  ],
  postgres: [/Index (Only )?Scan( Backward)? using events_\w+ on events/, /Bitmap Index Scan on events_\w+/],
};

for (const dialect of DIALECTS)
  test(`events are found by an index, from the place of the reader, on ${dialect}`, async () => {
    const { database, url, close } = await openTestDatabase(dialect);
    const pool = dialect === 'postgres' ? openPostgres({ url }) : undefined;
    const statements: CompiledQuery[] = [];
    const logged = new Kysely<Schema>({
      dialect: pool ? postgresDialect(pool) : sqliteDialect(openSqlite(url), () => false),
      log: ({ query }) => void statements.push(query),
    });
    try {
      for (let at = 0; at < EVENTS; at += 1_000) await database.db.insertInto('events').values(rows(at)).execute();
      if (pool) await sql`analyze events`.execute(database.db);
      const middle = await database.db
        .selectFrom('events')
        .select(['tx_id as txId', 'seq', 'id'])
        .where('id', '=', `${EVENTS / 2}`)
        .executeTakeFirstOrThrow();
      const events = eventRepository({ db: logged, dialect });
      await events.find(middle.id);
      await events.latest();
      assert.equal((await events.readAfter(middle, 100)).length, 100);
      for (const subjects of [['s1'], ['s1', 's2', 's3']])
        assert.ok((await events.readAfter(middle, 100, subjects)).length > 0);
      const texts = statements.filter(({ sql: text }) => text.includes('from "events"'));
      assert.ok(texts.length >= 7, `${texts.length}`);
      for (const statement of texts) await assertIndexed(database.db, statement);
    } finally {
      await logged.destroy();
      await close();
    }

    async function assertIndexed(db: Executor, { sql: text, parameters }: CompiledQuery): Promise<void> {
      const explain = dialect === 'sqlite' ? 'explain query plan ' : 'explain ';
      const { rows: plan } = await sql<Record<string, unknown>>`${sql.raw(explain)}${raw(text, parameters)}`.execute(
        db,
      );
      const lines = plan.map((row) => String(row['detail'] ?? row['QUERY PLAN']));
      const reads = lines.filter((line) => /\bevents/.test(line) && /scan|search/i.test(line));
      assert.ok(reads.length > 0, lines.join('\n'));
      const isIndexed = reads.some((line) => ALLOWED[dialect].some((allowed) => allowed.test(line)));
      assert.ok(
        isIndexed && !lines.some((line) => line.includes('Seq Scan on events')),
        `${text}\n${lines.join('\n')}`,
      );
      if (!/subject|audience/.test(text.replace(/select .*? from/, '')))
        assert.ok(!lines.some((line) => /TEMP B-TREE|Sort/.test(line)), `${text}\n${lines.join('\n')}`);
    }
  });

function rows(from: number) {
  return Array.from({ length: 1_000 }, (_unused, index) => ({
    id: `${from + index}`,
    type: index % 100 === 0 ? 'artefact.deleted' : 'artefact.updated',
    subject: `s${index % SUBJECTS}`,
    time: new Date().toISOString(),
    data: '{}',
    actor: null,
    audience: index % 100 === 0 ? '{"public":true,"privateAccess":[]}' : null,
  }));
}

/** A statement with its parameters in place. */
function raw(text: string, parameters: readonly unknown[]) {
  const parts = text.split(/\?|\$\d+/);
  return sql.join(
    parts.flatMap((part, at) => [sql.raw(part), ...(at < parts.length - 1 ? [sql.lit(parameters[at])] : [])]),
    sql.raw(''),
  );
}
