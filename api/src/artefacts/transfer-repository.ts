import { sql, type Selectable } from 'kysely';
import type { Executor, Schema, Tx } from '../db/index.ts';

export interface TransferSums {
  uploads: number;
  uploadedBytes: number;
  downloads: number;
  downloadedBytes: number;
}

export interface DailyTransfers extends TransferSums {
  /** `2026-01-31`, UTC. */
  day: string;
}

export interface MonthlyTransfers extends TransferSums {
  /** `2026-01`. */
  month: string;
}

/** Of `2026-01`. */
const MONTH_LENGTH = 7;
const SUMS = [
  sql<number>`sum(uploads)`.as('uploads'),
  sql<number>`sum(uploaded_bytes)`.as('uploadedBytes'),
  sql<number>`sum(downloads)`.as('downloads'),
  sql<number>`sum(downloaded_bytes)`.as('downloadedBytes'),
];

/** What an upsert sets, to add the new counts to those of the row. */
function added(table: 'daily_transfers' | 'monthly_transfers') {
  const sum = (column: string) => sql<number>`${sql.ref(`${table}.${column}`)} + ${sql.ref(`excluded.${column}`)}`;
  return {
    uploads: sum('uploads'),
    uploaded_bytes: sum('uploaded_bytes'),
    downloads: sum('downloads'),
    downloaded_bytes: sum('downloaded_bytes'),
  };
}

export function transferRepository(executor: Executor | Tx) {
  return {
    /** Adds counts to the rows of their days and artefacts. */
    async add(batch: readonly { day: string; artefactId: string; sums: TransferSums }[]): Promise<void> {
      for (const { day, artefactId, sums } of batch) {
        const row = {
          day,
          artefact_id: artefactId,
          uploads: sums.uploads,
          uploaded_bytes: sums.uploadedBytes,
          downloads: sums.downloads,
          downloaded_bytes: sums.downloadedBytes,
        };
        await executor
          .insertInto('daily_transfers')
          .values(row)
          .onConflict((conflict) => conflict.columns(['day', 'artefact_id']).doUpdateSet(added('daily_transfers')))
          .execute();
      }
    },

    async byDay(since: string, artefactId: string | undefined): Promise<DailyTransfers[]> {
      const rows = await executor
        .selectFrom('daily_transfers')
        .select('day')
        .select(SUMS)
        .where('day', '>=', since)
        .$if(artefactId !== undefined, (query) => query.where('artefact_id', '=', artefactId ?? ''))
        .groupBy('day')
        .orderBy('day', 'desc')
        .execute();
      return rows.map(({ day, ...sums }) => ({ day, ...toNumbers(sums) }));
    },

    async byMonth(artefactId: string | undefined): Promise<MonthlyTransfers[]> {
      const rows = await executor
        .selectFrom('monthly_transfers')
        .select('month')
        .select(SUMS)
        .$if(artefactId !== undefined, (query) => query.where('artefact_id', '=', artefactId ?? ''))
        .groupBy('month')
        .orderBy('month', 'desc')
        .execute();
      return rows.map(({ month, ...sums }) => ({ month, ...toNumbers(sums) }));
    },

    /** Finds the rows of days before this one, oldest first. */
    daysBefore(day: string, limit: number) {
      return executor
        .selectFrom('daily_transfers')
        .selectAll()
        .where('day', '<', day)
        .orderBy('day')
        .orderBy('artefact_id')
        .limit(limit)
        .execute();
    },

    /** Adds the rows of days to those of their months, and deletes them. */
    async moveToMonths(days: readonly Selectable<Schema['daily_transfers']>[]): Promise<void> {
      for (const { day, ...row } of days) {
        await executor
          .insertInto('monthly_transfers')
          .values({ month: day.slice(0, MONTH_LENGTH), ...row })
          .onConflict((conflict) => conflict.columns(['month', 'artefact_id']).doUpdateSet(added('monthly_transfers')))
          .execute();
        await executor
          .deleteFrom('daily_transfers')
          .where('day', '=', day)
          .where('artefact_id', '=', row.artefact_id)
          .execute();
      }
    },
  };
}

// PostgreSQL sums int8 as numeric, which arrives as text.
function toNumbers(sums: TransferSums): TransferSums {
  return {
    uploads: Number(sums.uploads),
    uploadedBytes: Number(sums.uploadedBytes),
    downloads: Number(sums.downloads),
    downloadedBytes: Number(sums.downloadedBytes),
  };
}
