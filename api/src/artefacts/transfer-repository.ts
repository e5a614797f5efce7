import type { Executor, Tx } from '../db/index.ts';

export interface DailyTransfers {
  day: string;
  uploads: number;
  uploadedBytes: number;
  downloads: number;
  downloadedBytes: number;
}

export function transferRepository(executor: Executor | Tx) {
  return {
    /** Adds counts to the rows of their days and artefacts. */
    async add(
      batch: readonly { day: string; artefactId: string; sums: Omit<DailyTransfers, 'day'> }[],
    ): Promise<void> {
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
          .onConflict((conflict) =>
            conflict.columns(['day', 'artefact_id']).doUpdateSet((eb) => ({
              uploads: eb('daily_transfers.uploads', '+', sums.uploads),
              uploaded_bytes: eb('daily_transfers.uploaded_bytes', '+', sums.uploadedBytes),
              downloads: eb('daily_transfers.downloads', '+', sums.downloads),
              downloaded_bytes: eb('daily_transfers.downloaded_bytes', '+', sums.downloadedBytes),
            })),
          )
          .execute();
      }
    },

    async byDay(since: string, artefactId: string | undefined): Promise<DailyTransfers[]> {
      const sums = executor
        .selectFrom('daily_transfers')
        .where('day', '>=', since)
        .groupBy('day')
        .orderBy('day', 'desc')
        .select(({ fn }) => [
          'day',
          fn.sum<number>('uploads').as('uploads'),
          fn.sum<number>('uploaded_bytes').as('uploadedBytes'),
          fn.sum<number>('downloads').as('downloads'),
          fn.sum<number>('downloaded_bytes').as('downloadedBytes'),
        ]);
      const rows = await (artefactId === undefined ? sums : sums.where('artefact_id', '=', artefactId)).execute();
      // PostgreSQL sums int8 as numeric, which arrives as text.
      return rows.map((row) => ({
        day: row.day,
        uploads: Number(row.uploads),
        uploadedBytes: Number(row.uploadedBytes),
        downloads: Number(row.downloads),
        downloadedBytes: Number(row.downloadedBytes),
      }));
    },
  };
}
