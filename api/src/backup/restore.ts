// Rebuilds an instance from a backup: rows first, with every blob marked as missing; then the schema is brought up to
// date; then each blob goes through the ordinary upload, which finds its row and heals it.

import type { Blobs, BlobStore } from '../blobs/index.ts';
import { migrate, type Database } from '../db/index.ts';
import { forEachConcurrently } from './concurrent.ts';
import { hasBlobFile, readBlobFile, type WantedBlob } from './blob-file.ts';
import { checkBackup, findLost, refuseLost, type CheckedBackup } from './check.ts';
import { aboutDirectory } from './directory.ts';
import type { LostBlob, Manifest } from './layout.ts';
import { nameArtefacts } from './listed-blobs.ts';
import { createReport, type BackupProgress, type ProgressReport } from './progress.ts';
import { restoreRepository } from './repository.ts';
import { restoreRows } from './restore-rows.ts';

export interface RestoreOptions {
  database: Database;
  blobs: Blobs;
  store: BlobStore;
  directory: string;
  /**
   * Restore the rest where bytes are missing or damaged in the backup; their slots stay, and uploading the bytes again
   * heals them.
   */
  allowLost?: boolean;
  onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Ends it early, with its reason; it is to be run again then. */
  signal?: AbortSignal | undefined;
}

export interface RestoreResult {
  /** Absolute. */
  directory: string;
  manifest: Manifest;
  blobs: { restored: number; sizeBytes: number };
  lost: LostBlob[];
}

/** Blobs restored at a time. */
const BLOBS_AT_ONCE = 4;

/**
 * Rebuilds an empty instance, on whichever database and storage. Until its end the instance bears a mark that keeps
 * servers from starting on a half; when it was interrupted, the same call goes on.
 *
 * @throws restore_target_not_empty; backup_lost_blobs, before the first change where it can be seen, unless
 *   `allowLost`; backup_invalid, backup_too_new, backup_directory_unusable; storage_full, storage_unavailable /
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreResult> {
  const { database, directory, allowLost = false } = options;
  const report = createReport(options.onProgress);
  report.begin('checking');
  const backup = await checkBackup(directory);
  return aboutDirectory(backup.directory, async () => {
    if (!allowLost) refuseLost(backup, await findLost(backup, report));
    await restoreRows({ ...options, ...backup, report });
    await migrate(database);
    const { restored, sizeBytes, lost } = await restoreBlobs(options, backup, report);
    const named = await nameArtefacts(backup, lost);
    if (!allowLost) refuseLost(backup, named);
    report.begin('finishing');
    await restoreRepository(database.db).dropMark();
    return { directory: backup.directory, manifest: backup.manifest, blobs: { restored, sizeBytes }, lost: named };
  });
}

async function restoreBlobs(options: RestoreOptions, { directory }: CheckedBackup, report: ProgressReport) {
  const { database, signal } = options;
  const missing = await restoreRepository(database.db).listMissingBlobs();
  report.begin('blobs', {
    total: missing.length,
    bytesTotal: missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  });
  const lost: Omit<LostBlob, 'artefacts'>[] = [];
  let restoredBytes = 0;
  await forEachConcurrently(missing, BLOBS_AT_ONCE, async (wanted) => {
    signal?.throwIfAborted();
    const reason = (await hasBlobFile(directory, wanted))
      ? await restoreBlob(wanted, options, directory, report)
      : 'missing';
    if (reason) lost.push({ ...wanted, reason });
    else restoredBytes += wanted.sizeBytes;
    report.add(1);
  });
  return { restored: missing.length - lost.length, sizeBytes: restoredBytes, lost };
}

/** Uploads the bytes of a digest; other bytes are dropped. */
async function restoreBlob(
  { digest }: WantedBlob,
  { database, blobs, signal }: RestoreOptions,
  directory: string,
  report: ProgressReport,
): Promise<'damaged' | undefined> {
  const upload = await blobs.begin();
  try {
    for await (const chunk of readBlobFile(directory, digest)) {
      signal?.throwIfAborted();
      await upload.write(chunk);
      report.addBytes(chunk.length);
    }
    const finished = await upload.finish();
    if (finished.digest !== digest) return 'damaged';
    await database.transaction((tx) => finished.adopt(tx));
    await finished.settle();
    return undefined;
  } finally {
    await upload.abort();
  }
}
