// Federation service: composes registries.ts, selection.ts and sync-control.ts. A run is in sync.ts, one artefact in
// mirror.ts, the bytes of a slot in fetch.ts.

import type { Mirroring, Publishing } from '../artefacts/index.ts';
import type { Blobs } from '../blobs/index.ts';
import type { Database } from '../db/index.ts';
import type { Jobs } from '../jobs/index.ts';
import type { ThumbnailService } from '../thumbnails/index.ts';
import type { Upstream, UpstreamReader } from '../upstream/index.ts';
import { createRemoteBrowser } from './browse.ts';
import { createCipher } from './cipher.ts';
import { createDiskSpaceCheck } from './disk-space.ts';
import type { Fetcher } from './fetch.ts';
import { createMirror } from './mirror.ts';
import { remoteMetricsRepository } from './metrics-repository.ts';
import { normaliseUrl } from './operations.ts';
import { createRegistries } from './registries.ts';
import { createRegistry } from './registry.ts';
import type { Remote } from './remote.ts';
import { remoteRepository } from './repository.ts';
import { createSelection } from './selection.ts';
import { createSyncControl } from './sync-control.ts';
import { createSync } from './sync.ts';

export interface RemotesOptions {
  database: Database;
  jobs: Jobs;
  mirroring: Mirroring;
  publishing: Publishing;
  blobs: Pick<Blobs, 'verify' | 'freeBytes'>;
  fetcher: Fetcher<Upstream>;
  thumbnails: ThumbnailService;
  reader: Pick<UpstreamReader, 'open'>;
  /** CIPHER_PASSWORD. */
  cipherPassword: string;
  publicUrl: string;
  maxUploadBytes: number;
  /** Called with errors of background work. */
  onError: (error: unknown) => void;
}

export type Remotes = ReturnType<typeof createRemotes>;

/** Creates the federation service and registers its jobs. */
export function createRemotes(options: RemotesOptions) {
  const { database, mirroring, reader, publicUrl } = options;
  const rows = remoteRepository(database.db);
  const cipher = createCipher(options.cipherPassword);
  const ownUrl = normaliseUrl(publicUrl);
  const registry = createRegistry(options);
  const selection = createSelection({ ...options, registry });
  const mirror = createMirror({
    ...options,
    assertFreeSpace: createDiskSpaceCheck(options.blobs, options.maxUploadBytes),
  });
  const sync = createSync({ ...options, mirror, openUpstream, ownUrl });

  async function openUpstream({ id }: Pick<Remote, 'id'>): Promise<Upstream> {
    const encrypted = await rows.findKey(id);
    return reader.open({ url: id, apiKey: encrypted === undefined ? undefined : cipher.decrypt(encrypted, id) });
  }

  return {
    /** The registries and their artefacts, for the metrics. */
    summaries: () => remoteMetricsRepository(database.aside).summaries(),
    browse: createRemoteBrowser({ find: registry.find, openUpstream, mirroring, results: rows.results }),
    ...createRegistries({ ...options, cipher, registry, selection, ownUrl }),
    select: selection.select,
    unselect: selection.unselect,
    ...createSyncControl({ ...options, registry, sync }),
  };
}
