// Imports a bundle as mirrors of the registry it was exported from.

import type { ImportOffline, OfflineImportReport, SyncProgress } from '../remotes/index.ts';
import { openBundle } from './bundle.ts';

/** @throws bundle_invalid; the system error if the path cannot be read; what `importOffline` throws */
export async function importBundle(
  path: string,
  importOffline: ImportOffline,
  onProgress?: (progress: SyncProgress) => void,
): Promise<OfflineImportReport> {
  const { close, ...source } = await openBundle(path);
  try {
    return await importOffline(source, onProgress);
  } finally {
    await close();
  }
}
