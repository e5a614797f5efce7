// What a carriage file brings, mirrored as if it came over the network: same checks, same results, same swap of all slots at once.

import type { Actor } from '../access/index.ts';
import { appendAudit } from '../audit/index.ts';
import { openCarriage } from './carriage.ts';
import { RemoteUrlInvalidError } from './errors.ts';
import { fetchRepository } from './fetch-repository.ts';
import { createFetcher } from './fetch.ts';
import { createMirror } from './mirror.ts';
import { normaliseUrl } from './operations.ts';
import { jobName, type SyncProgress } from './remote.ts';
import { remoteRepository } from './repository.ts';
import { createAssertRoom } from './room.ts';
import type { RemotesOptions } from './service.ts';
import { createSync, type SyncReport } from './sync.ts';

export type ImportOptions = Omit<RemotesOptions, 'cipherPassword' | 'timeoutMs' | 'fetcher'>;

export interface ImportReport extends SyncReport {
  origin: string;
  /** When the file was made. */
  createdAt: string;
  /** Artefacts that are not as in the file, and why. */
  problems: { id: string; reason: string }[];
}

/** The operator of this registry, at its command line. */
const ACTOR: Actor = { caller: { kind: 'internal' }, ip: '', requestId: '' };

/**
 * Makes the function that imports one file, in this process, beside a server or without one. The registry that the file comes from becomes a
 * remote registry without a key, unless it is one already.
 * @throws carriage_invalid, remote_url_invalid for a file of this registry itself; job_running while that registry is synchronised
 */
export function createImport(options: ImportOptions): (path: string, onProgress?: (progress: SyncProgress) => void) => Promise<ImportReport> {
  const { database, jobs, publishing, blobs, maxUploadBytes } = options;
  const ownUrl = normaliseUrl(options.publicUrl);
  const assertRoom = createAssertRoom(blobs, maxUploadBytes);
  const fetcher = createFetcher({
    fetches: fetchRepository(database.db), maxUploadBytes, assertRoom, onError: options.onError,
    intakes: {
      begin: async (format, begin) => publishing.begin(format, { ...begin, bypassCache: true, reservedKey: await blobs.reserve() }),
      resume: publishing.resume,
      discard: publishing.discard,
    },
  });
  const sync = createSync({ ...options, mirror: createMirror({ ...options, fetcher, assertRoom }), ownUrl, openUpstream: () => Promise.reject(new Error('a file is no network')) });

  return async (path, onProgress) => {
    const { origin, createdAt, ids, upstream } = await openCarriage(path);
    try {
      const remoteId = normaliseUrl(origin);
      if (remoteId === ownUrl) throw new RemoteUrlInvalidError('The file was made from this registry itself: to bring back what it has lost, restore a backup.');
      await database.transaction(async (tx) => {
        const rows = remoteRepository(tx);
        await rows.insert({ id: remoteId, name: new URL(remoteId).host, api_key: null, api_key_short_id: null, schedule: null, selected_patterns: '[]', next_full_at: null });
        await rows.select(remoteId, ids, true);
        await appendAudit(tx, ACTOR, { action: 'remote.import', targetType: 'remote-registry', targetId: remoteId, details: { createdAt, artefacts: ids.length } });
      });
      jobs.register<SyncProgress, SyncReport>({ name: jobName(remoteId), run: (context) => sync(remoteId, context, { ids, upstream }) });
      const report = await jobs.runHere(jobName(remoteId), onProgress && { onProgress: onProgress as (value: unknown) => void }) as SyncReport;
      const results = (await remoteRepository(database.db).results(remoteId)).filter(({ artefactId, status }) => ids.includes(artefactId) && status !== 'updated' && status !== 'unchanged');
      return { ...report, origin: remoteId, createdAt, problems: results.map(({ artefactId, reason }) => ({ id: artefactId, reason: reason ?? '' })) };
    } finally {
      upstream.close();
    }
  };
}
