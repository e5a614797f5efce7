// Counts uploads and downloads by day and artefact. Counts are collected in memory and written in batches, outside of
// requests.

import { toDatabaseError, type Database } from '../db/index.ts';
import { createBatcher, inBatches, type Job } from '../jobs/index.ts';
import {
  transferRepository,
  type DailyTransfers,
  type MonthlyTransfers,
  type TransferSums as Sums,
} from './transfer-repository.ts';

export interface TransferCounts {
  countUpload(artefactId: string, sizeBytes: number): void;
  countDownload(artefactId: string, sizeBytes: number): void;
  /** Sums the counts of all artefacts, or of one, by day, latest first. Omits days without transfers. */
  byDay(range: { days: number; artefactId?: string | undefined }): Promise<DailyTransfers[]>;
  /** Sums older counts, of whole months, latest first. Omits months without transfers. */
  byMonth(artefactId?: string): Promise<MonthlyTransfers[]>;
  /** Job that sums the days of months that ended more than 400 days ago. */
  readonly compaction: Job<number, number>;
  /** Writes the counts that are still in memory. */
  close(): Promise<void>;
}

export interface TransferCountsOptions {
  database: Database;
  /** Called when a write fails. Counts are kept for the next write if the database is unavailable, else lost. */
  onError: (error: unknown) => void;
  /** Maximum time that counts stay in memory, where a crash loses them. Default 5 s. */
  flushMs?: number;
}

const FLUSH_MS = 5_000;
const DAY_MS = 86_400_000;
/** Days are kept until the whole month is older than this. */
const KEPT_DAYS = 400;

export function createTransferCounts({
  database,
  onError,
  flushMs = FLUSH_MS,
}: TransferCountsOptions): TransferCounts {
  type ArtefactDay = { day: string; artefactId: string; sums: Sums };
  const counts = createBatcher<Map<string, ArtefactDay>, { day: string; artefactId: string; added: Partial<Sums> }>({
    intervalMs: flushMs,
    add(batch = new Map(), { day, artefactId, added }) {
      const { sums } = batch.get(`${day} ${artefactId}`) ?? {
        sums: { uploads: 0, uploadedBytes: 0, downloads: 0, downloadedBytes: 0 },
      };
      for (const [name, value] of Object.entries(added)) sums[name as keyof Sums] += value;
      return batch.set(`${day} ${artefactId}`, { day, artefactId, sums });
    },
    async flush(batch) {
      // Sorted, so that replicas lock the same rows in the same order and cannot deadlock.
      const rows = [...batch].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, row]) => row);
      try {
        await database.transaction((tx) => transferRepository(tx).add(rows));
      } catch (error) {
        if (toDatabaseError(error))
          for (const { day, artefactId, sums } of rows) counts.add({ day, artefactId, added: sums });
        onError(error);
      }
    },
  });
  const count = (artefactId: string, added: Partial<Sums>) => {
    counts.add({ day: new Date().toISOString().slice(0, 10), artefactId, added });
  };

  return {
    countUpload: (artefactId, sizeBytes) => count(artefactId, { uploads: 1, uploadedBytes: sizeBytes }),
    countDownload: (artefactId, sizeBytes) => count(artefactId, { downloads: 1, downloadedBytes: sizeBytes }),
    async byDay({ days, artefactId }) {
      await counts.flush();
      const since = new Date(Date.now() - (days - 1) * DAY_MS).toISOString().slice(0, 10);
      return transferRepository(database.aside).byDay(since, artefactId);
    },
    byMonth: (artefactId) => transferRepository(database.aside).byMonth(artefactId),
    compaction: {
      name: 'transfers.compact',
      everyMs: DAY_MS,
      run({ signal, progress }) {
        const firstKept = `${new Date(Date.now() - KEPT_DAYS * DAY_MS).toISOString().slice(0, 'yyyy-mm'.length)}-01`;
        const moveSome = (limit: number) =>
          database.transaction(async (tx) => {
            const rows = transferRepository(tx);
            const days = await rows.daysBefore(firstKept, limit);
            await rows.moveToMonths(days);
            return days.length;
          });
        return inBatches(moveSome, { signal, onProgress: progress });
      },
    },
    close: counts.flush,
  };
}
