// Backup of a whole instance, also while the server runs. restore.ts rebuilds an instance from it, layout.ts defines
// its directory. The caller holds the lease of the sweep meanwhile.

import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Blobs } from '../blobs/index.ts';
import { readSnapshot, assertCurrentSchema, type Database } from '../db/index.ts';
import { BLOB_LIMIT, forEachConcurrently } from './concurrent.ts';
import { copyBlob } from './blob-file.ts';
import {
  withDirectoryErrors,
  listBlobFolders,
  openDirectory,
  putManifest,
  removeOtherBlobs,
  removeOtherSnapshots,
  syncFolder,
  writeDurably,
} from './directory.ts';
import {
  blobsFolder,
  FORMAT_VERSION,
  newSnapshotName,
  secretsPath,
  tablePath,
  type LostBlob,
  type Manifest,
} from './layout.ts';
import { listBlobs, addArtefacts } from './listed-blobs.ts';
import { createReport, type BackupProgress } from './progress.ts';
import { countRows, readRows } from './repository.ts';
import { digestOfFile, writeTableFile } from './table-file.ts';
import { BACKED_UP_TABLES } from './tables.ts';

export interface BackupOptions {
  database: Database;
  blobs: Blobs;
  /** Created if missing. An existing backup in it is updated. */
  directory: string;
  berthVersion: string;
  /** Secrets that the instance stores itself, by name, and the names of the others that it needs. */
  secrets: { generated: Record<string, string>; leftOut: string[] };
  /** Verify existing files by digest instead of by size only, and copy damaged ones again. */
  verify?: boolean;
  onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Aborts the backup, which then rejects with the signal's reason. Copied blobs stay; the next backup resumes. */
  signal?: AbortSignal | undefined;
}

export interface BackupResult {
  /** Absolute path. */
  directory: string;
  manifest: Manifest;
  blobs: { copied: number; kept: number; removed: number };
}

/**
 * Writes a consistent copy: a snapshot of every table, and every blob that a slot refers to, verified while it is
 * copied. Missing or damaged blobs are listed in `manifest.blobs.lost` and do not stop the backup. The manifest is
 * replaced last, atomically, so that the directory always contains a complete backup: this one or the previous one.
 *
 * @throws backup_invalid when the directory contains anything else; backup_directory_full, backup_directory_unusable;
 *   database_too_new, database_too_old; storage_unavailable
 */
export async function writeBackup(options: BackupOptions): Promise<BackupResult> {
  const directory = resolve(options.directory);
  return withDirectoryErrors(directory, async () => {
    const previous = await openDirectory(directory);
    await removeOtherSnapshots(directory, previous?.snapshot);
    const manifest = await writeSnapshot({ ...options, directory });
    const copied = await copyBlobs({ ...options, directory }, manifest);
    manifest.blobs.lost = await addArtefacts({ directory, manifest }, copied.lost);
    await syncFolder(join(directory, manifest.snapshot));
    await syncBlobs(directory);
    options.signal?.throwIfAborted();
    await putManifest(directory, manifest);
    await removeOtherSnapshots(directory, manifest.snapshot);
    const removed = await removeOtherBlobs(directory, copied.digests);
    return { directory, manifest, blobs: { copied: copied.copied, kept: copied.kept, removed } };
  });
}

/** Writes all tables and the secrets. Returns a manifest without blobs. */
async function writeSnapshot({
  database,
  directory,
  berthVersion,
  secrets,
  onProgress,
  signal,
}: BackupOptions): Promise<Manifest> {
  const report = createReport(onProgress);
  report.begin('snapshot');
  const createdAt = new Date().toISOString();
  const name = newSnapshotName(createdAt, randomBytes(4).toString('hex'));
  await mkdir(join(directory, name), { mode: 0o700 });
  const { migrations, tables } = await readSnapshot(database, join(directory, name), async (snapshot) => {
    const migrations = await assertCurrentSchema(snapshot);
    const tables: Manifest['tables'] = [];
    report.begin('rows', { total: await countRows(snapshot) });
    for (const table of BACKED_UP_TABLES) {
      const rows = readRows(snapshot, database.dialect, table);
      const file = await writeTableFile(tablePath(directory, name, table.name), rows, () => {
        signal?.throwIfAborted();
        report.add(1);
      });
      tables.push({ name: table.name, ...file });
    }
    return { migrations, tables };
  });
  const included = Object.keys(secrets.generated);
  if (included.length > 0)
    await writeDurably(secretsPath(directory, name), `${JSON.stringify(secrets.generated, null, 2)}\n`);
  return {
    format: 'berth-backup',
    formatVersion: FORMAT_VERSION,
    berthVersion,
    createdAt,
    snapshot: name,
    migrations,
    tables,
    blobs: { count: 0, sizeBytes: 0, lost: [] },
    secrets: {
      included,
      ...(included.length > 0 && { digest: await digestOfFile(secretsPath(directory, name)) }),
      leftOut: secrets.leftOut,
    },
  };
}

interface CopiedBlobs {
  copied: number;
  kept: number;
  lost: Omit<LostBlob, 'artefacts'>[];
  /** Digests of all blobs of the backup, in hexadecimal. */
  digests: Set<string>;
}

async function copyBlobs(
  { blobs, directory, verify = false, onProgress, signal }: BackupOptions,
  manifest: Manifest,
): Promise<CopiedBlobs> {
  const report = createReport(onProgress);
  const result: CopiedBlobs = { copied: 0, kept: 0, lost: [], digests: new Set() };
  await mkdir(blobsFolder(directory), { recursive: true, mode: 0o700 });
  for await (const { digest, sizeBytes } of listBlobs({ directory, manifest })) {
    result.digests.add(digest.replace(/^sha256:/, ''));
    manifest.blobs.count++;
    manifest.blobs.sizeBytes += sizeBytes;
  }
  report.begin('blobs', { total: manifest.blobs.count, bytesTotal: manifest.blobs.sizeBytes });
  await forEachConcurrently(listBlobs({ directory, manifest }), BLOB_LIMIT, async (blob) => {
    signal?.throwIfAborted();
    const outcome = await copyBlob(blob, { blobs, directory, verify, onBytes: report.addBytes, signal });
    if (outcome === 'copied' || outcome === 'kept') {
      result[outcome]++;
    } else {
      report.addBytes(blob.sizeBytes);
      result.lost.push({ digest: blob.digest, sizeBytes: blob.sizeBytes, reason: outcome });
    }
    report.add(1);
  });
  report.begin('finishing');
  return result;
}

/** Makes the directory entries of all blobs durable: one fsync per folder, however many blobs were copied into it. */
async function syncBlobs(directory: string): Promise<void> {
  const root = blobsFolder(directory);
  for (const folder of [...(await listBlobFolders(directory)), root, dirname(root), directory])
    await syncFolder(folder);
}
