// Mirrors artefacts from a source other than the network, such as a bundle, with the same checks, results and atomic
// swap of all slots as a synchronisation.

import { SYSTEM_ACTOR } from '../access/index.ts';
import { recordChange } from '../events/index.ts';
import type { Upstream } from '../upstream/index.ts';
import { createDiskSpaceCheck } from './disk-space.ts';
import { RemoteUrlInvalidError } from './errors.ts';
import { fetchRepository } from './fetch-repository.ts';
import { createFetcher } from './fetch.ts';
import { createMirror } from './mirror.ts';
import { normaliseUrl } from './operations.ts';
import { jobName, type SyncProgress, type SyncReport } from './remote.ts';
import { remoteRepository } from './repository.ts';
import type { RemotesOptions } from './service.ts';
import { nextRunInMs } from './sync-control.ts';
import { createSync } from './sync.ts';

export type OfflineImportOptions = Omit<RemotesOptions, 'cipherPassword' | 'fetcher' | 'reader'>;

export interface OfflineSource {
  /** Base URL of the registry that it was exported from. */
  origin: string;
  /** When it was exported. */
  createdAt: string;
  ids: readonly string[];
  upstream: Upstream;
}

export interface OfflineImportReport extends SyncReport {
  origin: string;
  createdAt: string;
  /** Artefacts that were not mirrored, and why. */
  problems: { id: string; reason: string }[];
}

export type ImportOffline = (
  source: OfflineSource,
  onProgress?: (progress: SyncProgress) => void,
) => Promise<OfflineImportReport>;

/**
 * Creates the function that imports one source in this process, whether or not a server runs. Adds the registry that
 * the source was exported from as a remote registry without a key, unless it exists.
 * @throws remote_url_invalid for a source exported from this registry; job_running while that registry is synchronised
 */
export function createOfflineImport(options: OfflineImportOptions): ImportOffline {
  const { database, jobs, publishing, blobs, maxUploadBytes } = options;
  const ownUrl = normaliseUrl(options.publicUrl);
  const assertFreeSpace = createDiskSpaceCheck(blobs, maxUploadBytes);
  const fetcher = createFetcher({
    fetches: fetchRepository(database.db),
    maxUploadBytes,
    assertFreeSpace,
    onError: options.onError,
    ingests: { begin: publishing.open, resume: publishing.resume, discard: publishing.discard },
  });
  const sync = createSync({
    ...options,
    mirror: createMirror({ ...options, fetcher, assertFreeSpace }),
    ownUrl,
    openUpstream: () => Promise.reject(new Error('an offline import has no network upstream')),
  });

  return async ({ origin, createdAt, ids, upstream }, onProgress) => {
    const remoteId = normaliseUrl(origin);
    if (remoteId === ownUrl)
      throw new RemoteUrlInvalidError(
        'The file was exported from this registry itself: to recover lost artefacts, restore a backup.',
      );
    await database.transaction(async (tx) => {
      const rows = remoteRepository(tx);
      await rows.insert({
        id: remoteId,
        name: new URL(remoteId).host,
        api_key: null,
        api_key_short_id: null,
        schedule: null,
        selected_patterns: '[]',
        next_full_at: null,
      });
      await rows.select(remoteId, ids, true);
      await recordChange(tx, SYSTEM_ACTOR, {
        action: 'remote.import',
        targetType: 'remote-registry',
        targetId: remoteId,
        details: { createdAt, artefacts: ids.length },
      });
    });
    jobs.register<SyncProgress, SyncReport>({
      name: jobName(remoteId),
      run: (context) => sync(remoteId, context, { ids, upstream }),
      nextInMs: () => nextRunInMs(database.db, remoteId),
    });
    const report = (await jobs.runHere(
      jobName(remoteId),
      onProgress && { onProgress: onProgress as (value: unknown) => void },
    )) as SyncReport;
    const problems = (await remoteRepository(database.db).results(remoteId))
      .filter(({ artefactId, status }) => ids.includes(artefactId) && status !== 'updated' && status !== 'unchanged')
      .map(({ artefactId, reason }) => ({ id: artefactId, reason: reason ?? '' }));
    return { ...report, origin: remoteId, createdAt, problems };
  };
}
