// Domain types of federation, independent of tables and wire format: registries, results, progress.

export interface Remote {
  /** Base URL, normalised; the `origin` of its mirrors. */
  id: string;
  name: string;
  apiKeyShortId: string | undefined;
  /** Cron expression; undefined: manual only. */
  schedule: string | undefined;
  selectedPatterns: string[];
  createdAt: string;
  request: SyncRequest | undefined;
  nextFullAt: string | undefined;
  /** Number of artefacts in its list at the last full run. */
  upstreamCount: number | undefined;
  lastSyncAt: string | undefined;
  lastSyncStatus: 'success' | 'error' | undefined;
  lastSyncError: string | undefined;
  /**
   * `too_many_removed` if the run changed nothing and awaits confirmation, `artefacts_failed`, `sync_parked` if runs
   * ended the server, or the code of the error.
   */
  lastSyncErrorCode: string | undefined;
}

/** Options of a run that a superadmin requested. */
export interface SyncRequest {
  /** Retries only failed artefacts; default: all. */
  onlyFailed?: boolean;
  /** Reads the local bytes back and compares every digest. */
  verify?: boolean;
  /** A superadmin has confirmed that the remote's list shrank by more than half. */
  confirmed?: boolean;
}

/**
 * `pending`: not tried yet; `unchanged`: up to date; `updated`: fetched or linked; `failed`: see `reason`; `gone`: no
 * longer at the remote, the last version stays; `skipped`: matched by a pattern, but the id is in use here.
 */
export const STATUSES = ['pending', 'unchanged', 'updated', 'failed', 'gone', 'skipped'] as const;
export type ResultStatus = (typeof STATUSES)[number];

/** `nextTryAt` of an artefact that is to be tried by the next run: in the past by the clock of every replica. */
export const AT_ONCE = '1970-01-01T00:00:00.000Z';

/** Last result of mirroring one artefact. */
export interface ArtefactResult {
  artefactId: string;
  /** Selected by its id, not only by a pattern. */
  selected: boolean;
  status: ResultStatus;
  at: string | undefined;
  /** Fetched over the network in that run. */
  bytes: number | undefined;
  seconds: number | undefined;
  reason: string | undefined;
  /** Failures since the last success. */
  attempts: number;
  nextTryAt: string | undefined;
  /** Fingerprint of the remote's document when it was last mirrored completely, see `fingerprintOf`. */
  upstreamState: string | undefined;
}

export interface SyncProgress {
  startedAt: string;
  done: number;
  total: number;
  currentArtefact?: string;
  bytesDone?: number;
  bytesTotal?: number;
}

/** Number of artefacts by result of one run. */
export interface SyncReport {
  updated: number;
  unchanged: number;
  failed: number;
  gone: number;
}

/** Family of the synchronisation jobs, one per registry; job names are also lease names. */
export const JOB_PREFIX = 'remotes.sync';
export const jobName = (remoteId: string): string => `${JOB_PREFIX}:${remoteId}`;
