// Artefacts that come in another way than over the network, mirrored as if they came over it: same checks, same
// results, same swap of all slots at once.

import type { Actor } from '../access/index.ts';
import { appendAudit } from '../audit/index.ts';
import type { Upstream } from '../upstream/index.ts';
import { createDiskSpaceCheck } from './disk-space.ts';
import { RemoteUrlInvalidError } from './errors.ts';
import { fetchRepository } from './fetch-repository.ts';
import { createFetcher } from './fetch.ts';
import { createMirror } from './mirror.ts';
import { normaliseUrl } from './operations.ts';
import { jobName, type SyncProgress } from './remote.ts';
import { remoteRepository } from './repository.ts';
import type { RemotesOptions } from './service.ts';
import { nextRunInMs } from './sync-control.ts';
import { createSync, type SyncReport } from './sync.ts';

export type DeliveryOptions = Omit<RemotesOptions, 'cipherPassword' | 'fetcher' | 'outbound'>;

export interface Delivery {
  /** Address of the registry that it comes from. */
  origin: string;
  /** When it was made. */
  createdAt: string;
  ids: readonly string[];
  upstream: Upstream;
}

export interface DeliveryReport extends SyncReport {
  origin: string;
  createdAt: string;
  /** Artefacts that are not as in the delivery, and why. */
  problems: { id: string; reason: string }[];
}

export type Deliver = (delivery: Delivery, onProgress?: (progress: SyncProgress) => void) => Promise<DeliveryReport>;

/** The operator of this registry, at its command line. */
const ACTOR: Actor = { caller: { kind: 'internal' }, ip: '', requestId: '' };

/**
 * Makes the function that takes in one delivery, in this process, beside a server or without one. The registry that it
 * comes from becomes a remote registry without a key, unless it is one already.
 * @throws remote_url_invalid for a delivery of this registry itself; job_running while that registry is synchronised
 */
export function createDelivery(options: DeliveryOptions): Deliver {
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
    openUpstream: () => Promise.reject(new Error('A delivery brings its upstream along.')),
  });

  return async ({ origin, createdAt, ids, upstream }, onProgress) => {
    const remoteId = normaliseUrl(origin);
    if (remoteId === ownUrl)
      throw new RemoteUrlInvalidError(
        'The file was made from this registry itself: to bring back what it has lost, restore a backup.',
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
      await appendAudit(tx, ACTOR, {
        action: 'remote.import',
        targetType: 'remote-registry',
        targetId: remoteId,
        details: { createdAt, artefacts: ids.length },
      });
    });
    jobs.register<SyncProgress, SyncReport>({
      name: jobName(remoteId),
      run: (context) => sync(remoteId, context, { ids, upstream }),
      nextInMs: () => nextRunInMs(database, remoteId),
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
