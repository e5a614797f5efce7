/** Progress of a backup or a restore. */
export interface BackupProgress {
  /**
   * `waiting`: for other jobs to end; `snapshot`: copying the database; `checking`: verifying the backup; `rows`,
   * `blobs`: copying them; `finishing`: flushing to the disk.
   */
  phase: 'waiting' | 'snapshot' | 'checking' | 'rows' | 'blobs' | 'finishing';
  /** Rows or blobs processed in this phase. */
  done: number;
  total?: number;
  bytesDone?: number;
  bytesTotal?: number;
}

export interface ProgressReport {
  begin(phase: BackupProgress['phase'], totals?: { total?: number; bytesTotal?: number }): void;
  add(count: number): void;
  addBytes(count: number): void;
}

/** Counts progress within a phase and reports every change; the callback decides how often to display it. */
export function createReport(onProgress: ((progress: BackupProgress) => void) | undefined): ProgressReport {
  let progress: BackupProgress = { phase: 'waiting', done: 0 };
  const report = () => onProgress?.({ ...progress });
  return {
    begin(phase, totals = {}) {
      progress = { phase, done: 0, ...totals, ...(totals.bytesTotal !== undefined && { bytesDone: 0 }) };
      report();
    },
    add(count) {
      progress.done += count;
      report();
    },
    addBytes(count) {
      progress.bytesDone = (progress.bytesDone ?? 0) + count;
      report();
    },
  };
}
