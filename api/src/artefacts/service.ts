// Composes the artefact services. One file per verb: publish, read, edit, download, contents, mirroring.

import type { Database, Tx } from '../db/index.ts';
import type { Blobs } from '../blobs/index.ts';
import { createContents } from './contents.ts';
import { createDownload, type DownloadOptions } from './download.ts';
import { createEdit } from './edit.ts';
import { createMirroring } from './mirroring.ts';
import { createPublishing, type PublishingOptions } from './publish.ts';
import { createRead } from './read.ts';
import { createRenderJob } from './render-job.ts';
import { createRescanJob } from './rescan-job.ts';
import { createTransferCounts } from './transfer-counts.ts';

export interface ArtefactOptions
  extends Omit<PublishingOptions, 'counts'>, Pick<DownloadOptions, 'accelRedirectPrefix'> {
  database: Database;
  blobs: Blobs;
  onArtefactDeleted?: readonly ((tx: Tx, id: string) => Promise<void>)[];
}

export function createArtefacts(artefactOptions: ArtefactOptions) {
  const counts = createTransferCounts(artefactOptions);
  const options = { ...artefactOptions, counts };
  return {
    publishing: createPublishing(options),
    mirroring: createMirroring(options),
    read: createRead(options),
    counts,
    edit: createEdit({ ...options, onArtefactDeleted: options.onArtefactDeleted ?? [] }),
    download: createDownload(options),
    contents: createContents(options),
    /** Jobs that renew what older versions of the program have stored. */
    renewals: { documents: createRenderJob(options), scans: createRescanJob(options) },
  };
}

export type ArtefactServices = ReturnType<typeof createArtefacts>;
