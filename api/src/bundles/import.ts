// Imports a bundle as mirrors of the registry it was exported from.

import { withCleanUp } from '../errors.ts';
import type { ImportOffline, OfflineImportReport, SyncProgress } from '../remotes/index.ts';
import type { UpstreamReader } from '../upstream/index.ts';
import { openBundle } from './bundle.ts';

/** @throws bundle_invalid; the system error if the path cannot be read; what `importOffline` throws */
export async function importBundle(
  path: string,
  { importOffline, reader }: { importOffline: ImportOffline; reader: Omit<UpstreamReader, 'open'> },
  onProgress?: (progress: SyncProgress) => void,
): Promise<OfflineImportReport> {
  const { close, ...source } = await openBundle(path, reader);
  return withCleanUp(() => importOffline(source, onProgress), close);
}
