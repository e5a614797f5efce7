// Renders a remote registry for the API.

import type { JobState } from '../jobs/index.ts';
import { isParked } from './parking.ts';
import { AT_ONCE, type ArtefactResult, type Remote, type SyncProgress } from './remote.ts';
import type { RemoteView } from './schemas.ts';

/** @param state of its job; undefined if the job has no row yet */
export function toView(remote: Remote, state: JobState | undefined, results: readonly ArtefactResult[]): RemoteView {
  const { id, apiKeyShortId, lastSyncAt, lastSyncStatus, lastSyncError, lastSyncErrorCode } = remote;
  const syncState = syncStateOf(remote, state);
  // Of the run that the state is about: none yet while one is due.
  const hasProgress = state?.progress !== undefined && (syncState !== 'running' || state.running);
  return {
    _id: id,
    url: id,
    name: remote.name,
    ...(apiKeyShortId !== undefined && { apiKeyShortId }),
    schedule: remote.schedule ?? null,
    ...(syncState === 'idle' && state?.dueAt !== undefined && { nextSyncAt: state.dueAt }),
    selectedArtefacts: results.filter(({ selected }) => selected).map(({ artefactId }) => artefactId),
    selectedPatterns: remote.selectedPatterns,
    createdAt: remote.createdAt,
    syncState,
    ...(hasProgress && { syncProgress: state.progress as SyncProgress }),
    ...(lastSyncAt !== undefined && { lastSyncAt }),
    ...(lastSyncStatus !== undefined && { lastSyncStatus }),
    ...(lastSyncError !== undefined && { lastSyncError }),
    ...(lastSyncErrorCode !== undefined && { lastSyncErrorCode }),
    results: results.map(toResult),
  };
}

/** `running` from the moment that a run is due until no run is in progress or due. */
function syncStateOf(remote: Remote, state: JobState | undefined): RemoteView['syncState'] {
  if (!state || isParked(remote)) return 'idle';
  if (state.running || state.waiting) return 'running';
  return state.startedAt !== undefined && state.endedAt === undefined ? 'interrupted' : 'idle';
}

function toResult({
  artefactId,
  status,
  at,
  bytes,
  seconds,
  reason,
  attempts,
  nextTryAt,
}: ArtefactResult): RemoteView['results'][number] {
  return {
    artefactId,
    status,
    ...(at !== undefined && { at }),
    ...(bytes !== undefined && { bytes }),
    ...(seconds !== undefined && { seconds: Math.round(seconds * 1000) / 1000 }),
    ...(reason !== undefined && { reason }),
    ...(attempts > 0 && { attempts }),
    ...(nextTryAt !== undefined && nextTryAt !== AT_ONCE && { nextTryAt }),
  };
}
