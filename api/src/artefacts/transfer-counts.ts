// Counts uploads and downloads by day and artefact: in memory first, written together, never in a request's way.

import { toDatabaseError, type Database } from '../db/index.ts';
import { transferRepository, type DailyTransfers } from './transfer-repository.ts';

export interface TransferCounts {
  countUpload(artefactId: string, sizeBytes: number): void;
  countDownload(artefactId: string, sizeBytes: number): void;
  /** Sums all artefacts, or one, by day, the latest first; days without transfers are left out. */
  byDay(range: { days: number; artefactId?: string | undefined }): Promise<DailyTransfers[]>;
  /** Writes what is still counted in memory. */
  close(): Promise<void>;
}

export interface TransferCountsOptions {
  database: Database;
  /** Told when counts could not be written. They are kept for the next time when the database is away, else lost. */
  onError: (error: unknown) => void;
  /** How long counts stay in memory, which is what a crash may lose of them. Default 5 s. */
  flushMs?: number;
}

const FLUSH_MS = 5_000;
const DAY_MS = 86_400_000;

type Sums = Omit<DailyTransfers, 'day'>;

export function createTransferCounts({ database, onError, flushMs = FLUSH_MS }: TransferCountsOptions): TransferCounts {
  let pending = new Map<string, { day: string; artefactId: string; sums: Sums }>();
  let timer: NodeJS.Timeout | undefined;
  let flushing = Promise.resolve();

  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    // In one order, so that two replicas that write the same rows never wait for each other.
    const batch = [...pending].sort(([one], [other]) => one < other ? -1 : 1).map(([, entry]) => entry);
    pending = new Map();
    if (batch.length > 0) {
      flushing = flushing.then(() => database.transaction((tx) => transferRepository(tx).add(batch))).catch((error: unknown) => {
        if (toDatabaseError(error)) for (const { day, artefactId, sums } of batch) add(day, artefactId, sums);
        onError(error);
      });
    }
    return flushing;
  };
  const add = (day: string, artefactId: string, added: Partial<Sums>) => {
    const key = `${day} ${artefactId}`;
    const entry = pending.get(key) ?? { day, artefactId, sums: { uploads: 0, uploadedBytes: 0, downloads: 0, downloadedBytes: 0 } };
    pending.set(key, entry);
    entry.sums.uploads += added.uploads ?? 0;
    entry.sums.uploadedBytes += added.uploadedBytes ?? 0;
    entry.sums.downloads += added.downloads ?? 0;
    entry.sums.downloadedBytes += added.downloadedBytes ?? 0;
    timer ??= setTimeout(() => void flush(), flushMs).unref();
  };
  const count = (artefactId: string, added: Partial<Sums>) => { add(new Date().toISOString().slice(0, 10), artefactId, added); };

  return {
    countUpload: (artefactId, sizeBytes) => count(artefactId, { uploads: 1, uploadedBytes: sizeBytes }),
    countDownload: (artefactId, sizeBytes) => count(artefactId, { downloads: 1, downloadedBytes: sizeBytes }),
    async byDay({ days, artefactId }) {
      await flush();
      const since = new Date(Date.now() - (days - 1) * DAY_MS).toISOString().slice(0, 10);
      return transferRepository(database.db).byDay(since, artefactId);
    },
    close: flush,
  };
}
