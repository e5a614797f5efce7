/** How far a backup or a restore has come. */
export interface BackupProgress {
  /**
   * `waiting`: for other work to end; `snapshot`: the database is copied; `checking`: the backup is; `finishing`:
   * flushed to the disk.
   */
  phase: 'waiting' | 'snapshot' | 'checking' | 'rows' | 'blobs' | 'finishing';
  /** Rows or blobs. */
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

/** Counts within a phase and tells each change; whoever shows it decides how often. */
export function createReport(onProgress: ((progress: BackupProgress) => void) | undefined): ProgressReport {
  let progress: BackupProgress = { phase: 'waiting', done: 0 };
  const tell = () => onProgress?.({ ...progress });
  return {
    begin(phase, totals = {}) {
      progress = { phase, done: 0, ...totals, ...(totals.bytesTotal !== undefined && { bytesDone: 0 }) };
      tell();
    },
    add(count) {
      progress.done += count;
      tell();
    },
    addBytes(count) {
      progress.bytesDone = (progress.bytesDone ?? 0) + count;
      tell();
    },
  };
}
