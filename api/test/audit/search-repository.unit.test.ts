// Searches of the audit log, compared with a plain filter in memory: every combination of filters, on both databases.

import assert from 'node:assert/strict';
import { randomInt, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { type CompiledQuery, Kysely, sql } from 'kysely';
import { createAuditSearch, type AuditFilter } from '../../src/audit/search-repository.ts';
import type { AuditEventsTable, Schema } from '../../src/db/index.ts';
import { openSqlite, sqliteDialect } from '../../src/db/sqlite.ts';
import { DIALECTS, openTestDatabase, type TestDatabase } from '../support/test-database.ts';

const EVENTS = 600;
const VALUES = {
  actor_id: ['uma', 'ben', null],
  actor_kind: ['user', 'upload-key', 'internal'],
  action: ['artefact.upload', 'artefact.delete', 'artefacts.other', 'user.create', 'artefact'],
  target_type: ['artefact', 'user'],
  target_id: ['@acme/a@1', '@acme/b@1', 'ben'],
  outcome: ['success', 'success', 'success', 'refused', 'failed'],
};
const FILTERS: { [Name in keyof AuditFilter]-?: NonNullable<AuditFilter[Name]>[] } = {
  actor: ['uma', 'nobody'],
  actorKind: ['user', 'read-key'],
  action: ['artefact.', 'artefact.upload', 'user.', 'nothing.'],
  targetType: ['artefact'],
  target: ['@acme/a@1', 'ben'],
  outcome: ['success', 'refused', 'failed'],
  from: [timeOf(100)],
  to: [timeOf(400)],
};
/** Small, so that a search takes many slices. */
const SIZES = { sliceSize: 37, maxCount: 50 };

/** Two events in three share their time with another one. */
function timeOf(index: number): string {
  return new Date(Date.UTC(2026, 0) + (index - (index % 3)) * 1000).toISOString();
}

function anyOf<T>(values: readonly T[]): T {
  return values[randomInt(values.length)] as T;
}

function randomEvent(index: number): AuditEventsTable {
  const { actor_id, actor_kind, action, target_type, target_id, outcome } = VALUES;
  return {
    id: randomUUID(),
    at: timeOf(index),
    actor_kind: anyOf(actor_kind),
    actor_id: anyOf(actor_id),
    actor_name: null,
    action: anyOf(action),
    target_type: anyOf(target_type),
    target_id: anyOf(target_id),
    outcome: anyOf(outcome),
    ip: null,
    request_id: null,
    details: null,
  };
}

/** Every combination of filters that are set or not, with one value each. */
function* combinations(): Generator<AuditFilter> {
  const names = Object.keys(FILTERS) as (keyof AuditFilter)[];
  for (let bits = 0; bits < 2 ** names.length; bits++)
    yield Object.fromEntries(
      names.filter((_name, at) => bits & (1 << at)).map((name) => [name, anyOf(FILTERS[name])]),
    );
}

function isMatch(event: AuditEventsTable, filter: AuditFilter): boolean {
  const { actor, actorKind, action, targetType, target, outcome, from, to } = filter;
  return (
    (actor === undefined || event.actor_id === actor) &&
    (actorKind === undefined || event.actor_kind === actorKind) &&
    (action === undefined || (action.endsWith('.') ? event.action.startsWith(action) : event.action === action)) &&
    (targetType === undefined || event.target_type === targetType) &&
    (target === undefined || event.target_id === target) &&
    (outcome === undefined || event.outcome === outcome) &&
    (from === undefined || event.at >= from) &&
    (to === undefined || event.at <= to)
  );
}

for (const dialect of DIALECTS) {
  describe(`searches of the audit log on ${dialect}`, () => {
    let testDatabase: TestDatabase;
    let newestFirst: AuditEventsTable[];
    before(async () => {
      testDatabase = await openTestDatabase(dialect);
      const { db } = testDatabase.database;
      await db
        .insertInto('audit_events')
        .values(Array.from({ length: EVENTS }, (_unused, index) => randomEvent(index)))
        .execute();
      newestFirst = await db
        .selectFrom('audit_events')
        .selectAll()
        .orderBy('at', 'desc')
        .orderBy('id', 'desc')
        .execute();
    });
    after(() => testDatabase.close());

    test('find what a plain filter finds, with every combination of filters', async () => {
      const search = createAuditSearch({ database: testDatabase.database, ...SIZES });
      for (const filter of combinations()) {
        const expected = newestFirst.filter((event) => isMatch(event, filter));
        const page = { skip: anyOf([0, 0, 7, 60, 300]), size: anyOf([0, 1, 20, 100]) };
        const { rows, count } = await search.list(filter, page);
        const label = JSON.stringify({ filter, page });
        assert.deepEqual(rows, expected.slice(page.skip, page.skip + page.size), label);
        const enough = Math.max(SIZES.maxCount, page.skip + page.size) + 1;
        assert.equal(count, Math.min(expected.length, enough), label);

        const read: AuditEventsTable[] = [];
        for await (const batch of search.readAll(filter, 11)) {
          assert.ok(batch.length <= 11);
          read.push(...batch);
        }
        assert.deepEqual(read, expected.toReversed(), label);
      }
    });

    test('let a client page through all of them by the count', async () => {
      const search = createAuditSearch({ database: testDatabase.database, ...SIZES });
      const read: string[] = [];
      for (let count = 1; read.length < count;) {
        const page = await search.list({}, { skip: read.length, size: 30 });
        read.push(...page.rows.map(({ id }) => id));
        count = page.count;
      }
      assert.deepEqual(
        read,
        newestFirst.map(({ id }) => id),
      );
    });
  });
}

test('on SQLite no statement of a search reads more of the log than one slice', async () => {
  const statements: CompiledQuery[] = [];
  const { database, url, close } = await openTestDatabase('sqlite');
  const logged = new Kysely<Schema>({
    dialect: sqliteDialect(openSqlite(url), () => false),
    log: ({ query }) => void statements.push(query),
  });
  try {
    const rows = Array.from({ length: EVENTS }, (_unused, index) => randomEvent(index));
    await database.db.insertInto('audit_events').values(rows).execute();
    const search = createAuditSearch({ database: { db: logged, dialect: 'sqlite' }, ...SIZES });
    for (const filter of combinations()) {
      statements.length = 0;
      await search.list(filter, { skip: 0, size: 20 });
      for await (const batch of search.readAll(filter, 11)) assert.ok(batch);
      for (const { sql: text, parameters } of [...statements]) {
        const { rows: plan } = await sql<{ detail: string }>`explain query plan ${raw(text, parameters)}`.execute(
          database.db,
        );
        const reads = plan.map(({ detail }) => detail).filter((detail) => detail.includes('audit_events'));
        assert.ok(
          reads.length === 1 && /(SEARCH|SCAN) audit_events USING (COVERING )?INDEX/.test(reads[0] ?? ''),
          `${text}\n${plan.map(({ detail }) => detail).join('\n')}`,
        );
        if (/"at" [<>]=/.test(text)) assert.match(reads[0] ?? '', /\bat[<>]\?/, text);
        // A sort of more than the events of equal times would read all matches first.
        assert.ok(!plan.some(({ detail }) => detail === 'USE TEMP B-TREE FOR ORDER BY'), text);
      }
    }
  } finally {
    await logged.destroy();
    await close();
  }

  /** A statement with its parameters in place. */
  function raw(text: string, parameters: readonly unknown[]) {
    const parts = text.split('?');
    return sql.join(
      parts.flatMap((part, at) => [sql.raw(part), ...(at < parts.length - 1 ? [sql.lit(parameters[at])] : [])]),
      sql.raw(''),
    );
  }
});
