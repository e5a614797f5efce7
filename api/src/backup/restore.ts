// Rebuilds an instance from a backup: inserts its rows, migrates the schema, and stores each blob under the key that
// it had in the original instance. What the storage lists under its key is therefore restored, whoever has copied it:
// an interrupted restore, or one of the blobs only, made ahead from an earlier backup of the same instance.

import { createHash } from 'node:crypto';
import { withCleanUp } from '../errors.ts';
import type { BlobStore } from '../blobs/index.ts';
import { migrate, type Database } from '../db/index.ts';
import { digestOf } from '../digests/index.ts';
import { BLOB_LIMIT, forEachConcurrently } from './concurrent.ts';
import { hasBlobFile, readBlobFile, type BackupBlob } from './blob-file.ts';
import { checkBackup, findLost, assertNothingLost, type CheckedBackup } from './check.ts';
import { withDirectoryErrors } from './directory.ts';
import type { LostBlob, Manifest } from './layout.ts';
import { addArtefacts, listBlobs } from './listed-blobs.ts';
import { createReport, type BackupProgress, type ProgressReport } from './progress.ts';
import { restoreRepository } from './repository.ts';
import { claimTarget, restoreRows } from './restore-rows.ts';

export interface RestoreOptions {
  database: Database;
  store: BlobStore;
  directory: string;
  /**
   * Restore even if blobs are missing or damaged in the backup. Their slots are kept, and uploading the same bytes
   * again repairs them.
   */
  allowLost?: boolean;
  /** Only copy the blobs. No server starts before a restore, of this backup or a later one, has copied the rest. */
  blobsOnly?: boolean;
  onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Aborts the restore, which then rejects with the signal's reason and must be run again. */
  signal?: AbortSignal | undefined;
}

export interface RestoreResult {
  /** Absolute path. */
  directory: string;
  manifest: Manifest;
  /** `kept`: those that an earlier call had copied. */
  blobs: { restored: number; kept: number; sizeBytes: number };
  lost: LostBlob[];
}

/**
 * Rebuilds an empty instance, on any database and storage. Until the restore is complete, a marker in the database
 * keeps servers from starting on partial data. An interrupted restore is resumed by the same call.
 *
 * @throws restore_target_not_empty; backup_lost_blobs unless `allowLost`, before the first change if file sizes show
 *   it; backup_invalid, backup_too_new, backup_directory_unusable; storage_full, storage_unavailable
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoreResult> {
  const { database, directory, allowLost = false, blobsOnly = false } = options;
  const report = createReport(options.onProgress);
  report.begin('checking');
  const backup = await checkBackup(directory);
  return withDirectoryErrors(backup.directory, async () => {
    if (!allowLost) assertNothingLost(backup, await findLost(backup, report));
    const { rowsDone } = await claimTarget({ ...options, ...backup });
    if (!blobsOnly && !rowsDone) await restoreRows({ ...options, ...backup, report });
    if (!blobsOnly) await migrate(database);
    const { lost, ...blobs } = await restoreBlobs(options, backup, report);
    const lostBlobs = await addArtefacts(backup, lost);
    if (!allowLost) assertNothingLost(backup, lostBlobs);
    report.begin('finishing');
    if (!blobsOnly) {
      const repository = restoreRepository(database.db);
      await repository.markMissing(lost.map(({ digest }) => digest));
      await repository.dropMark();
    }
    return { directory: backup.directory, manifest: backup.manifest, blobs, lost: lostBlobs };
  });
}

async function restoreBlobs({ store, signal }: RestoreOptions, backup: CheckedBackup, report: ProgressReport) {
  const stored = await listSizes(store);
  const missing: BackupBlob[] = [];
  let kept = 0;
  for await (const blob of listBlobs(backup)) {
    if (stored.get(blob.storageKey) === blob.sizeBytes) kept++;
    else missing.push(blob);
  }
  const { directory } = backup;
  report.begin('blobs', {
    total: missing.length,
    bytesTotal: missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  });
  const lost: Omit<LostBlob, 'artefacts'>[] = [];
  let restoredBytes = 0;
  await forEachConcurrently(missing, BLOB_LIMIT, async (blob) => {
    signal?.throwIfAborted();
    const { digest, storageKey, sizeBytes } = blob;
    // A key has one writer at a time, and on files none after its blob is finished.
    if (stored.has(storageKey)) await store.delete(storageKey);
    const reason = (await hasBlobFile(directory, blob))
      ? await restoreBlob(blob, { store, signal, directory, report })
      : 'missing';
    if (reason) lost.push({ digest, sizeBytes, reason });
    else restoredBytes += sizeBytes;
    report.add(1);
  });
  return { restored: missing.length - lost.length, kept, sizeBytes: restoredBytes, lost };
}

/** Lists what the storage has, by key. An unfinished blob has a size that no blob has. */
async function listSizes(store: BlobStore): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { key, sizeBytes, finished } of store.list()) sizes.set(key, finished ? sizeBytes : -1);
  return sizes;
}

/** Stores one blob. Bytes that do not match the digest are discarded. */
async function restoreBlob(
  { digest, storageKey, sizeBytes }: BackupBlob,
  {
    store,
    signal,
    directory,
    report,
  }: Pick<RestoreOptions, 'store' | 'signal' | 'directory'> & { report: ProgressReport },
): Promise<'damaged' | undefined> {
  const writer = await store.create(storageKey);
  return withCleanUp(
    async () => {
      const hash = createHash('sha256');
      for await (const chunk of readBlobFile(directory, { digest, sizeBytes })) {
        signal?.throwIfAborted();
        hash.update(chunk);
        await writer.append(writer.offset, chunk);
        report.addBytes(chunk.length);
      }
      if (digestOf(hash) !== digest) return 'damaged';
      await writer.finish();
      return undefined;
    },
    () => writer.abort(),
  );
}
