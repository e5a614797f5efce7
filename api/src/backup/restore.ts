// Rebuilds an instance from a backup. Inserts the rows with every blob marked as missing, migrates the schema, then
// sends each blob through the ordinary upload, which finds its row and repairs it.

import { withCleanUp } from '../errors.ts';
import type { Blobs, BlobStore } from '../blobs/index.ts';
import { migrate, type Database } from '../db/index.ts';
import { forEachConcurrently } from './concurrent.ts';
import { hasBlobFile, readBlobFile, type BackupBlob } from './blob-file.ts';
import { checkBackup, findLost, assertNothingLost, type CheckedBackup } from './check.ts';
import { withDirectoryErrors } from './directory.ts';
import type { LostBlob, Manifest } from './layout.ts';
import { addArtefacts } from './listed-blobs.ts';
import { createReport, type BackupProgress, type ProgressReport } from './progress.ts';
import { restoreRepository } from './repository.ts';
import { restoreRows } from './restore-rows.ts';

export interface RestoreOptions {
  database: Database;
  blobs: Blobs;
  store: BlobStore;
  directory: string;
  /**
   * Restore even if blobs are missing or damaged in the backup. Their slots are kept, and uploading the same bytes
   * again repairs them.
   */
  allowLost?: boolean;
  onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Aborts the restore, which then rejects with the signal's reason and must be run again. */
  signal?: AbortSignal | undefined;
}

export interface RestoreResult {
  /** Absolute path. */
  directory: string;
  manifest: Manifest;
  blobs: { restored: number; sizeBytes: number };
  lost: LostBlob[];
}

/** Concurrent uploads. */
const BLOB_CONCURRENCY = 4;

/**
 * Rebuilds an empty instance, on any database and storage. Until the restore is complete, a marker in the database
 * keeps servers from starting on partial data. An interrupted restore is resumed by the same call.
 *
 * @throws restore_target_not_empty; backup_lost_blobs unless `allowLost`, before the first change if file sizes show
 *   it; backup_invalid, backup_too_new, backup_directory_unusable; storage_full, storage_unavailable
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreResult> {
  const { database, directory, allowLost = false } = options;
  const report = createReport(options.onProgress);
  report.begin('checking');
  const backup = await checkBackup(directory);
  return withDirectoryErrors(backup.directory, async () => {
    if (!allowLost) assertNothingLost(backup, await findLost(backup, report));
    await restoreRows({ ...options, ...backup, report });
    await migrate(database);
    const { restored, sizeBytes, lost } = await restoreBlobs(options, backup, report);
    const lostBlobs = await addArtefacts(backup, lost);
    if (!allowLost) assertNothingLost(backup, lostBlobs);
    report.begin('finishing');
    await restoreRepository(database.db).dropMark();
    return { directory: backup.directory, manifest: backup.manifest, blobs: { restored, sizeBytes }, lost: lostBlobs };
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
  await forEachConcurrently(missing, BLOB_CONCURRENCY, async (blob) => {
    signal?.throwIfAborted();
    const reason = (await hasBlobFile(directory, blob))
      ? await restoreBlob(blob, options, directory, report)
      : 'missing';
    if (reason) lost.push({ ...blob, reason });
    else restoredBytes += blob.sizeBytes;
    report.add(1);
  });
  return { restored: missing.length - lost.length, sizeBytes: restoredBytes, lost };
}

/** Uploads one blob. Bytes that do not match the digest are discarded. */
async function restoreBlob(
  { digest }: BackupBlob,
  { database, blobs, signal }: RestoreOptions,
  directory: string,
  report: ProgressReport,
): Promise<'damaged' | undefined> {
  const upload = await blobs.begin();
  return withCleanUp(
    async () => {
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
    },
    () => upload.abort(),
  );
}
