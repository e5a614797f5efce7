// What a remote registry is, what is mirrored from it and how that went, apart from how it is stored and sent.

export interface Remote {
  /** Base URL, normalised; the `origin` of its mirrors. */
  id: string;
  name: string;
  apiKeyShortId: string | undefined;
  /** Cron expression; undefined: only by hand. */
  schedule: string | undefined;
  selectedPatterns: string[];
  createdAt: string;
  request: SyncRequest | undefined;
  nextFullAt: string | undefined;
  /** How many artefacts its list had last. */
  upstreamCount: number | undefined;
  lastSyncAt: string | undefined;
  lastSyncStatus: 'success' | 'error' | undefined;
  lastSyncError: string | undefined;
  /**
   * `too_many_removed` when the run changed nothing until somebody confirms it, `artefacts_failed`, or the code of
   * what went wrong.
   */
  lastSyncErrorCode: string | undefined;
}

/** What a run is asked for beside what is due. */
export interface SyncRequest {
  /** Only those that failed; everything otherwise. */
  onlyFailed?: boolean;
  /** Read the local bytes back and compare every digest. */
  verify?: boolean;
  /** A superadmin has seen that the remote's list shrank, and wants it so. */
  confirmed?: boolean;
}

/**
 * `pending`: not tried yet; `unchanged`: compared; `updated`: fetched or linked; `failed`: see `reason`; `gone`: the
 * remote has it no more, what arrived last stays; `skipped`: a pattern found it, but its id is taken here. /
 */
export const STATUSES = ['pending', 'unchanged', 'updated', 'failed', 'gone', 'skipped'] as const;
export type ResultStatus = (typeof STATUSES)[number];

/** How mirroring one artefact went last. */
export interface ArtefactResult {
  artefactId: string;
  /** By its id, not only by a pattern. */
  selected: boolean;
  status: ResultStatus;
  at: string | undefined;
  /** Fetched in this run. */
  bytes: number | undefined;
  seconds: number | undefined;
  reason: string | undefined;
  /** Failures since the last success. */
  attempts: number;
  nextTryAt: string | undefined;
  /** Fingerprint of what the remote had when it arrived whole. */
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

/** Of the jobs, one for each registry; their names are those of their leases too. */
export const JOB_PREFIX = 'remotes.sync';
export const jobName = (remoteId: string): string => `${JOB_PREFIX}:${remoteId}`;
