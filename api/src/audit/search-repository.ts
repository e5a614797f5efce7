// Searches the audit log, which may have millions of events. SQLite runs in the thread that serves all requests, so a
// search reads its index in slices, and other requests run between them.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql, type Expression, type SqlBool } from 'kysely';
import type { AuditEventsTable, Database } from '../db/index.ts';

/** Filter of the log; an event must match every field that is set. */
export interface AuditFilter {
  /** ID of a user or a key. */
  actor?: string | undefined;
  actorKind?: string | undefined;
  /** An action such as `artefact.upload`, or a prefix that ends with a dot: `artefact.`. */
  action?: string | undefined;
  targetType?: string | undefined;
  target?: string | undefined;
  outcome?: string | undefined;
  /** ISO 8601; both bounds are inclusive. */
  from?: string | undefined;
  to?: string | undefined;
}

/** Of an event in the log. */
type Position = Pick<AuditEventsTable, 'at' | 'id'>;
type Direction = 'asc' | 'desc';
type Condition = Expression<SqlBool>;
type IndexedColumn = (typeof INDEXED)[number];

/** Part of the log: the events behind `after`, up to and including `upTo`. */
interface Slice {
  after: Position | undefined;
  /** Undefined for the last slice. */
  upTo: Position | undefined;
}

export interface AuditSearchOptions {
  database: Pick<Database, 'db' | 'dialect'>;
  /** Events per slice on SQLite: a few milliseconds. Default 5000. PostgreSQL needs no slices. */
  sliceSize?: number;
  /** Count up to which all matches are counted. Default 10,000. */
  maxCount?: number;
}

const SLICE_SIZE = 5000;
const MAX_COUNT = 10_000;
/** Columns with an index that continues with `at`, the most selective first. */
const INDEXED = ['target_id', 'actor_id', 'outcome', 'action'] as const;

export function createAuditSearch({
  database: { db, dialect },
  sliceSize = SLICE_SIZE,
  maxCount = MAX_COUNT,
}: AuditSearchOptions) {
  const isSliced = dialect === 'sqlite';
  /** Keeps SQLite from using another index than that of the slices; PostgreSQL has statistics to choose by. */
  const unindexed = (column: string) => (isSliced ? sql`+${sql.ref(column)}` : sql.ref(column));

  return {
    /**
     * Reads one page, newest first, and counts the matches. Beyond `maxCount`, and beyond the page, the count is only
     * a lower bound: one more than what was seen.
     */
    async list(
      filter: AuditFilter,
      { skip, size }: { skip: number; size: number },
    ): Promise<{ rows: AuditEventsTable[]; count: number }> {
      const conditions = conditionsOf(filter);
      const rows: AuditEventsTable[] = [];
      const enough = Math.max(maxCount, skip + size) + 1;
      let count = 0;
      for await (const slice of slices(conditions.indexed, 'desc')) {
        const matches = () => within(conditions.all, slice, 'desc');
        const matchesInSlice = await countUpTo(matches(), enough - count);
        const offset = Math.max(0, skip - count);
        if (rows.length < size && offset < matchesInSlice) {
          const found = await inOrder(matches().selectAll(), 'desc')
            .limit(size - rows.length)
            .offset(offset)
            .execute();
          rows.push(...found);
        }
        count += matchesInSlice;
        if (count >= enough) break;
      }
      return { rows, count };
    },

    /** Reads all matches in batches, oldest first. A batch may be empty. */
    async *readAll(filter: AuditFilter, batchSize: number): AsyncGenerator<AuditEventsTable[]> {
      const conditions = conditionsOf(filter);
      for await (const { after, upTo } of slices(conditions.indexed, 'asc')) {
        for (let position = after; ;) {
          const matches = within(conditions.all, { after: position, upTo }, 'asc').selectAll();
          const batch = await inOrder(matches, 'asc').limit(batchSize).execute();
          yield batch;
          if (batch.length < batchSize) break;
          position = batch.at(-1);
        }
      }
    },
  };

  /** Divides the events that match the indexed conditions. */
  async function* slices(indexed: Condition[], direction: Direction): AsyncGenerator<Slice> {
    for (let after: Position | undefined; ;) {
      const upTo = isSliced
        ? await inOrder(within(indexed, { after, upTo: undefined }, direction).select(['at', 'id']), direction)
            .limit(1)
            .offset(sliceSize - 1)
            .executeTakeFirst()
        : undefined;
      yield { after, upTo };
      if (!upTo) return;
      after = upTo;
      await nextTurn();
    }
  }

  function within(conditions: Condition[], { after, upTo }: Slice, direction: Direction) {
    const [later, upToInclusive] = direction === 'asc' ? (['>', '<='] as const) : (['<', '>='] as const);
    const orSame = direction === 'asc' ? '>=' : '<=';
    let query = db.selectFrom('audit_events');
    for (const condition of conditions) query = query.where(condition);
    // The bounds of `at` alone are what an index finds; those of both columns are exact.
    if (after)
      query = query
        .where('at', orSame, after.at)
        .where((eb) => eb(eb.refTuple('at', 'id'), later, eb.tuple(after.at, after.id)));
    if (upTo)
      query = query
        .where('at', upToInclusive, upTo.at)
        .where((eb) => eb(eb.refTuple('at', 'id'), upToInclusive, eb.tuple(upTo.at, upTo.id)));
    return query;
  }

  async function countUpTo(matches: ReturnType<typeof within>, limit: number): Promise<number> {
    const { count } = await db
      .selectFrom(matches.select(sql.lit(1).as('one')).limit(limit).as('matches'))
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    return count;
  }

  /** Converts a filter; `indexed` are the conditions that decide which index is read: one column and the dates. */
  function conditionsOf({ actor, actorKind, action, targetType, target, outcome, from, to }: AuditFilter) {
    const isPrefix = action?.endsWith('.') ?? false;
    const values: Record<IndexedColumn, string | undefined> = {
      target_id: target,
      actor_id: actor,
      // Nearly all events are successes: the index has the others only.
      outcome: outcome === 'success' ? undefined : outcome,
      action: isPrefix ? undefined : action,
    };
    const leading = INDEXED.find((column) => values[column] !== undefined);
    const indexed: Condition[] = [];
    if (leading) indexed.push(sql<SqlBool>`${sql.ref(leading)} = ${values[leading]}`);
    if (leading === 'outcome') indexed.push(sql<SqlBool>`outcome <> 'success'`);
    if (from !== undefined) indexed.push(sql<SqlBool>`at >= ${new Date(from).toISOString()}`);
    if (to !== undefined) indexed.push(sql<SqlBool>`at <= ${new Date(to).toISOString()}`);

    const all = [...indexed];
    const others = { ...values, outcome, actor_kind: actorKind, target_type: targetType };
    for (const [column, value] of Object.entries(others))
      if (column !== leading && value !== undefined) all.push(sql<SqlBool>`${unindexed(column)} = ${value}`);
    // As a range, `/` is the character after `.`.
    if (action !== undefined && isPrefix) {
      const end = `${action.slice(0, -1)}/`;
      all.push(sql<SqlBool>`${unindexed('action')} >= ${action}`, sql<SqlBool>`${unindexed('action')} < ${end}`);
    }
    return { indexed, all };
  }
}

function inOrder<Query extends { orderBy(column: 'at' | 'id', direction: Direction): Query }>(
  query: Query,
  direction: Direction,
): Query {
  return query.orderBy('at', direction).orderBy('id', direction);
}
