// Records the results of a run, one row per artefact, and counts them for its report.

import { BerthError } from '../errors.ts';
import { TooManyRemovedError } from './candidates.ts';
import { retryDelayMs } from './operations.ts';
import type { ArtefactResult, SyncReport } from './remote.ts';
import type { RemoteRepository } from './repository.ts';
import { createTurns } from './turns.ts';

export interface ResultRecorderOptions {
  rows: RemoteRepository;
  /** As `rows.put`, for failures: one that is lost with the power is found again by the next run. */
  putFailure: RemoteRepository['put'];
  remoteId: string;
  /** Results of earlier runs, by artefact id. */
  previous: ReadonlyMap<string, ArtefactResult>;
  startedAt: Date;
  /** Called with internal errors, which a result does not describe. */
  onError: (error: unknown) => void;
}

export type ResultRecorder = ReturnType<typeof createResultRecorder>;

export function createResultRecorder({
  rows,
  putFailure,
  remoteId,
  previous,
  startedAt,
  onError,
}: ResultRecorderOptions) {
  const report: SyncReport = { updated: 0, unchanged: 0, failed: 0, gone: 0 };

  const turn = createTurns();

  async function failed(id: string, error: unknown): Promise<void> {
    await turn();
    if (isInternal(error)) onError(error);
    const attempts = (previous.get(id)?.attempts ?? 0) + 1;
    await putFailure(remoteId, id, {
      status: 'failed',
      at: new Date().toISOString(),
      bytes: null,
      seconds: null,
      reason: reasonOf(error),
      attempts,
      next_try_at: new Date(Date.now() + retryDelayMs(attempts)).toISOString(),
    });
    report.failed++;
  }

  async function notMirrored(id: string, status: 'gone' | 'skipped', reason: string): Promise<void> {
    await rows.put(remoteId, id, {
      status,
      at: startedAt.toISOString(),
      bytes: null,
      seconds: null,
      reason,
      attempts: 0,
      next_try_at: null,
    });
  }

  return {
    report,
    failed,

    /** Counts an update; its result is written by the transaction that commits the mirror. */
    updated(): void {
      report.updated++;
    },

    async unchanged(ids: readonly string[], at: Date): Promise<void> {
      await rows.putAll(remoteId, ids, 'unchanged', at.toISOString());
      report.unchanged += ids.length;
    },

    async gone(id: string): Promise<void> {
      await notMirrored(id, 'gone', 'The remote registry no longer has it; the last mirrored version stays here.');
      report.gone++;
    },

    /** Records that an id is in use here: a failure if it was selected by id, skipped if by a pattern. */
    async conflict(id: string, reason: string): Promise<void> {
      if (previous.get(id)?.selected) await failed(id, new Error(reason));
      else await notMirrored(id, 'skipped', reason);
    },
  };
}

/** Returns the message that superadmins see. */
export function reasonOf(error: unknown): string {
  if (isInternal(error)) return 'Internal error: see the log of this registry.';
  return error instanceof Error ? error.message : String(error);
}

/** Returns the code that superadmins see. */
export function codeOf(error: unknown): string {
  if (error instanceof TooManyRemovedError) return 'too_many_removed';
  return error instanceof BerthError ? error.code : 'internal_error';
}

/** Errors of the system or the database are for the log only. */
function isInternal(error: unknown): boolean {
  return error instanceof Error && !(error instanceof BerthError) && (error as { code?: unknown }).code !== undefined;
}
