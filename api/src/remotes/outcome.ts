// Records how a synchronisation ended: for superadmins, and as an event where it is news.

import { SYSTEM_ACTOR } from '../access/index.ts';
import type { RemoteRegistriesTable, Tx } from '../db/index.ts';
import { recordChange } from '../events/index.ts';
import type { SyncReport } from './remote.ts';
import { remoteRepository } from './repository.ts';

/** Code and text of a failure, or what a successful run has done. */
export type Outcome = { code: string; text: string } | { report: SyncReport };

/**
 * Records the outcome of a run. A success is an event if it brought something or follows a failure; a failure, if the
 * run before did not fail in the same way.
 * @param changes further columns, such as when the run ended
 */
export async function recordOutcome(
  tx: Tx,
  remoteId: string,
  outcome: Outcome,
  changes: Partial<RemoteRegistriesTable> = {},
): Promise<void> {
  const rows = remoteRepository(tx);
  const previous = await rows.lock(remoteId);
  if (!previous) return; // Removed meanwhile
  const error = 'code' in outcome ? outcome : undefined;
  await rows.update(remoteId, {
    last_sync_status: error ? 'error' : 'success',
    last_sync_error: error?.text ?? null,
    last_sync_error_code: error?.code ?? null,
    ...changes,
  });
  const event = newsOf(outcome, previous);
  if (!event) return;
  await recordChange(tx, SYSTEM_ACTOR, {
    action: error ? 'remote.sync-failed' : 'remote.synced',
    targetType: 'remote-registry',
    targetId: remoteId,
    outcome: error ? 'failed' : 'success',
    details: event.data,
    events: [{ ...event, subject: remoteId }],
  });
}

function newsOf(
  outcome: Outcome,
  previous: { lastSyncStatus: 'success' | 'error' | undefined; lastSyncErrorCode: string | undefined },
) {
  if ('code' in outcome)
    return outcome.code === previous.lastSyncErrorCode
      ? undefined
      : ({ type: 'mirror.failed', data: { code: outcome.code } } as const);
  const { updated, unchanged, gone } = outcome.report;
  return updated > 0 || previous.lastSyncStatus !== 'success'
    ? ({ type: 'mirror.synced', data: { updated, unchanged, gone } } as const)
    : undefined;
}
