import { sql } from 'kysely';
import { databaseTime, type Database } from '../db/index.ts';

/** Attempts of one subject in its current window, which ends at `until`. */
export interface Attempts {
  count: number;
  until: string;
}

export function attemptRepository({ db, dialect }: Pick<Database, 'db' | 'dialect'>) {
  const now = databaseTime(dialect);
  return {
    async find(subject: string): Promise<Attempts | undefined> {
      return db
        .selectFrom('failed_attempts')
        .select(['count', 'until'])
        .where('subject', '=', subject)
        .where('until', '>', now)
        .executeTakeFirst();
    },

    /** Counts an attempt; the first one after the last window starts a new window. */
    async add(subject: string, windowMs: number): Promise<Attempts> {
      return db
        .insertInto('failed_attempts')
        .values({ subject, count: 1, until: databaseTime(dialect, windowMs) })
        .onConflict((conflict) =>
          conflict.column('subject').doUpdateSet({
            count: sql<number>`case when failed_attempts.until <= ${now} then 1 else failed_attempts.count + 1 end`,
            until: sql<string>`
              case when failed_attempts.until <= ${now} then excluded.until else failed_attempts.until end`,
          }),
        )
        .returning(['count', 'until'])
        .executeTakeFirstOrThrow();
    },

    async subtract(subject: string): Promise<void> {
      await db
        .updateTable('failed_attempts')
        .set(({ eb }) => ({ count: eb('count', '-', 1) }))
        .where('subject', '=', subject)
        .where('count', '>', 0)
        .execute();
    },

    async remove(subject: string): Promise<void> {
      await db.deleteFrom('failed_attempts').where('subject', '=', subject).execute();
    },

    /** Deletes up to `limit` counters whose window has ended, and returns how many. */
    async deleteExpired(limit: number): Promise<number> {
      const expired = db.selectFrom('failed_attempts').select('subject').where('until', '<=', now).limit(limit);
      const { numDeletedRows } = await db
        .deleteFrom('failed_attempts')
        .where('subject', 'in', expired)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
