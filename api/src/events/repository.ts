// The outbox. On PostgreSQL, rows are read in the order of (tx_id, seq), and only those below the IDs of all
// transactions in progress, so that none is committed further ahead later. On SQLite, seq is the order of commits.

import { sql, type RawBuilder, type SqlBool } from 'kysely';
import type { Account, Visibility } from '../access/index.ts';
import { createUuidV7, type Database, type DialectName, type EventsTable, type Executor } from '../db/index.ts';
import { isOfArtefact, type NewEvent } from './event-types.ts';
import { OLDEST, type Position, type StoredEvent } from './outbox.ts';

const IN_PROGRESS: RawBuilder<number> = sql`pg_snapshot_xmin(pg_current_snapshot())::text::bigint`;
const UNASSIGNED: RawBuilder<number> = sql`pg_snapshot_xmax(pg_current_snapshot())::text::bigint`;

/** Writes events of one change, in this order, in its transaction. */
export async function appendEvents(
  executor: Executor,
  events: readonly (NewEvent & { audience?: Visibility | undefined })[],
  { time, actor }: { time: string; actor: object | undefined },
): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map(({ type, subject, data, audience }) => ({
    id: createUuidV7(),
    type,
    subject,
    time,
    data: JSON.stringify(data),
    actor: actor ? JSON.stringify(actor) : null,
    audience: audience ? JSON.stringify(audience) : null,
  }));
  await executor.insertInto('events').values(rows).execute();
}

export function eventRepository({ db, dialect }: Pick<Database, 'db' | 'dialect'>) {
  const isSettled = settled(dialect);
  const columns = dialect === 'postgres' ? (['tx_id', 'seq'] as const) : (['seq'] as const);
  /** SQLite uses no index for a pair of columns of which one is the row number. */
  const behind = ({ txId, seq }: Position) =>
    dialect === 'postgres' ? sql<SqlBool>`(tx_id, seq) > (${txId}, ${seq})` : sql<SqlBool>`seq > ${seq}`;
  return {
    /** Finds the place behind an event that a client has been given. */
    async find(id: string): Promise<Position | undefined> {
      const row = await db.selectFrom('events').select(['tx_id', 'seq', 'id']).where('id', '=', id).executeTakeFirst();
      return row && toPosition(row);
    },

    /** Returns the place behind the newest event; OLDEST if there is none. */
    async latest(): Promise<Position> {
      let query = db.selectFrom('events').select(['tx_id', 'seq', 'id']).where(isSettled).limit(1);
      for (const column of columns) query = query.orderBy(column, 'desc');
      const row = await query.executeTakeFirst();
      return row ? toPosition(row) : OLDEST;
    },

    /** Reads the next events behind a place, at most `limit`, with who may see them. */
    async readAfter(after: Position, limit: number, subjects?: readonly string[]): Promise<StoredEvent[]> {
      let query = db.selectFrom('events').selectAll().where(isSettled).where(behind(after)).limit(limit);
      if (subjects) query = query.where('subject', 'in', subjects);
      for (const column of columns) query = query.orderBy(column);
      const rows = await query.execute();
      const visibilityOf = await readVisibilities(db, rows);
      return rows.map((row) => ({ ...row, position: toPosition(row), visibility: visibilityOf(row) }));
    },

    /** Returns the time of the oldest event that a transaction in progress holds back; undefined if none does. */
    async heldSince(): Promise<string | undefined> {
      if (dialect === 'sqlite') return undefined;
      const { time } = await db
        .selectFrom('events')
        .select(({ fn }) => fn.min<string | null>('time').as('time'))
        .where('tx_id', '>=', IN_PROGRESS)
        .executeTakeFirstOrThrow();
      return time ?? undefined;
    },

    /** Deletes up to `limit` events older than a time, the oldest first, and returns how many; the newest stays. */
    async prune(before: string, limit: number): Promise<number> {
      let query = db
        .selectFrom('events')
        .select(['seq', 'time'])
        .limit(limit + 1);
      for (const column of columns) query = query.orderBy(column);
      const oldest = await query.execute();
      // The newest tells that nothing has been missed since.
      const candidates = oldest.slice(0, -1);
      const firstKept = candidates.findIndex(({ time }) => time >= before);
      const pruned = candidates.slice(0, firstKept === -1 ? undefined : firstKept).map(({ seq }) => seq);
      if (pruned.length > 0) await db.deleteFrom('events').where('seq', 'in', pruned).execute();
      return pruned.length;
    },

    /**
     * Puts the events of another PostgreSQL server, from which the database was copied, before those of this one,
     * whose transactions may have lower IDs. Their order stays.
     */
    async adopt(): Promise<void> {
      if (dialect === 'sqlite') return;
      const { last } = await db
        .selectFrom('events')
        .select(({ fn }) => fn.max<number | null>('seq').as('last'))
        .where('tx_id', '>=', UNASSIGNED)
        .executeTakeFirstOrThrow();
      if (last !== null)
        await db
          .updateTable('events')
          .set((eb) => ({
            tx_id: eb(
              'tx_id',
              '-',
              eb.selectFrom('events').select(({ fn }) => fn.max<number>('tx_id').as('highest')),
            ),
          }))
          .where('seq', '<=', last)
          .execute();
    },
  };
}

/** Lists who could see deleted artefacts, of those that an account with this ID could see. */
export async function findAudiences(
  executor: Executor,
  accountId: string,
): Promise<{ seq: number; audience: Visibility }[]> {
  const rows = await executor
    .selectFrom('events')
    .select(['seq', 'audience'])
    .where('audience', 'is not', null)
    .execute();
  return rows
    .map(({ seq, audience }) => ({ seq, audience: JSON.parse(audience!) as Visibility }))
    .filter(({ audience }) => audience.privateAccess.some(({ id }) => id === accountId));
}

export async function putAudience(executor: Executor, seq: number, audience: Visibility): Promise<void> {
  await executor
    .updateTable('events')
    .set({ audience: JSON.stringify(audience) })
    .where('seq', '=', seq)
    .execute();
}

function settled(dialect: DialectName): RawBuilder<SqlBool> {
  return dialect === 'postgres' ? sql<SqlBool>`tx_id < ${IN_PROGRESS}` : sql<SqlBool>`1 = 1`;
}

function toPosition({ tx_id: txId, seq, id }: Pick<EventsTable, 'id'> & { tx_id: number; seq: number }): Position {
  return { txId, seq, id };
}

/**
 * Reads who may see the artefacts of events: those of a deleted artefact are for those who could see it last, also if
 * another artefact has its ID by now.
 */
async function readVisibilities(
  db: Executor,
  rows: readonly { seq: number; type: string; subject: string }[],
): Promise<(row: { seq: number; type: string; subject: string }) => Visibility | undefined> {
  const ofArtefacts = rows.filter(({ type }) => isOfArtefact(type));
  const ids = [...new Set(ofArtefacts.map(({ subject }) => subject))];
  if (ids.length === 0) return () => undefined;
  const present = await readPresent(db, ids);
  // Afterwards, so that an artefact that was deleted meanwhile is found in one of the two.
  const deletions = await db
    .selectFrom('events')
    .select(['subject', 'seq', 'audience'])
    .where('audience', 'is not', null)
    .where('subject', 'in', ids)
    .where('seq', '>=', Math.min(...ofArtefacts.map(({ seq }) => seq)))
    .orderBy('seq')
    .execute();
  const deletionsOf = Map.groupBy(deletions, ({ subject }) => subject);
  return ({ seq, type, subject }) => {
    if (!isOfArtefact(type)) return undefined;
    const deletion = deletionsOf.get(subject)?.find((it) => it.seq >= seq);
    return deletion ? (JSON.parse(deletion.audience!) as Visibility) : present.get(subject);
  };
}

async function readPresent(db: Executor, ids: readonly string[]): Promise<Map<string, Visibility>> {
  const rows = await db
    .selectFrom('artefacts')
    .leftJoin('artefact_access', (join) => join.onRef('artefact_id', '=', 'id').on('public', '=', 0))
    .select(['id', 'public', 'account_type', 'account_id', 'department'])
    .where('id', 'in', ids)
    .execute();
  return new Map(
    [...Map.groupBy(rows, ({ id }) => id)].map(([id, accesses]) => [
      id,
      {
        public: accesses[0]?.public === 1,
        privateAccess: accesses.flatMap(({ account_type: type, account_id: accountId, department }) =>
          type === null || accountId === null
            ? []
            : [{ type: type as Account['type'], id: accountId, ...(department && { department }) }],
        ),
      },
    ]),
  );
}
