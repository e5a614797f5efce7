// Artefacts with their slots. A file per verb: publish.ts, read.ts, edit.ts, download.ts, contents.ts, mirroring.ts.

import type { Database, Tx } from '../db/index.ts';
import type { Blobs } from '../blobs/index.ts';
import { createContents } from './contents.ts';
import { createDownload, type DownloadOptions } from './download.ts';
import { createEdit } from './edit.ts';
import { createMirroring } from './mirroring.ts';
import { createPublishing, type PublishingOptions } from './publish.ts';
import { createRead } from './read.ts';
import { createTransferCounts } from './transfer-counts.ts';

export interface ArtefactOptions
  extends Omit<PublishingOptions, 'counts'>, Pick<DownloadOptions, 'accelRedirectPrefix'> {
  database: Database;
  blobs: Blobs;
  onArtefactDeleted?: readonly ((tx: Tx, id: string) => Promise<void>)[];
}

export function createArtefacts(given: ArtefactOptions) {
  const counts = createTransferCounts(given);
  const options = { ...given, counts };
  return {
    publishing: createPublishing(options),
    mirroring: createMirroring(options),
    read: createRead(options),
    counts,
    edit: createEdit({ ...options, onArtefactDeleted: options.onArtefactDeleted ?? [] }),
    download: createDownload(options),
    contents: createContents(options),
  };
}

export type ArtefactServices = ReturnType<typeof createArtefacts>;
