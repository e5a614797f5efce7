// Backup and restore of a whole instance. This file writes a backup while the server serves; restore.ts rebuilds an
// instance from one, layout.ts says what the folder holds. Whoever runs it keeps the sweep away meanwhile.

import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Blobs } from '../blobs/index.ts';
import { readSnapshot, refuseOtherSchema, type Database } from '../db/index.ts';
import { forEachConcurrently } from './concurrent.ts';
import { copyBlob } from './blob-file.ts';
import {
  aboutDirectory,
  absolute,
  listBlobFolders,
  openForWriting,
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
import { listBlobs, nameArtefacts } from './listed-blobs.ts';
import { createReport, type BackupProgress } from './progress.ts';
import { countRows, readRows } from './repository.ts';
import { digestOfFile, writeTableFile } from './table-file.ts';
import { BACKED_UP_TABLES } from './tables.ts';

export interface BackupOptions {
  database: Database;
  blobs: Blobs;
  /** Made when it is missing; a backup in it is brought up to date. */
  directory: string;
  berthVersion: string;
  /** Secrets that the instance keeps itself, by name, and the names of those that its environment gives. */
  secrets: { kept: Record<string, string>; given: string[] };
  /**
   * Read the bytes that an earlier backup has copied, instead of comparing their size alone; damaged ones are copied
   * again.
   */
  verify?: boolean;
  onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Ends it early, with its reason; what is copied stays and the next backup goes on from there. */
  signal?: AbortSignal | undefined;
}

export interface BackupResult {
  /** Absolute. */
  directory: string;
  manifest: Manifest;
  blobs: { copied: number; kept: number; removed: number };
}

/** Blobs copied at a time: hides the latency of S3 and the flush of each file. */
const BLOBS_AT_ONCE = 4;

/**
 * Writes a consistent copy: every table as it was at one moment, and every blob that a slot refers to, checked while
 * it is copied. Blobs that are missing or damaged are in `manifest.blobs.lost`, and do not stop it. The manifest is
 * replaced last, in one step, so that the folder always holds a whole backup, this one or the one before.
 *
 * @throws backup_invalid when the folder holds something else; backup_directory_full, backup_directory_unusable;
 *   database_too_new, database_too_old; storage_unavailable /
 */
export async function writeBackup(options: BackupOptions): Promise<BackupResult> {
  const directory = absolute(options.directory);
  return aboutDirectory(directory, async () => {
    const before = await openForWriting(directory);
    await removeOtherSnapshots(directory, before?.snapshot);
    const manifest = await writeSnapshot({ ...options, directory });
    const copied = await copyBlobs({ ...options, directory }, manifest);
    manifest.blobs.lost = await nameArtefacts({ directory, manifest }, copied.lost);
    await syncFolder(join(directory, manifest.snapshot));
    await syncBlobs(directory);
    options.signal?.throwIfAborted();
    await putManifest(directory, manifest);
    await removeOtherSnapshots(directory, manifest.snapshot);
    const removed = await removeOtherBlobs(directory, copied.wanted);
    return { directory, manifest, blobs: { copied: copied.copied, kept: copied.kept, removed } };
  });
}

/** Writes all tables and the secrets, and begins the manifest. */
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
    const migrations = await refuseOtherSchema(snapshot);
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
  const included = Object.keys(secrets.kept);
  if (included.length > 0)
    await writeDurably(secretsPath(directory, name), `${JSON.stringify(secrets.kept, null, 2)}\n`);
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
      leftOut: secrets.given,
    },
  };
}

interface CopiedBlobs {
  copied: number;
  kept: number;
  lost: Omit<LostBlob, 'artefacts'>[];
  wanted: Set<string>;
}

async function copyBlobs(
  { blobs, directory, verify = false, onProgress, signal }: BackupOptions,
  manifest: Manifest,
): Promise<CopiedBlobs> {
  const report = createReport(onProgress);
  const result: CopiedBlobs = { copied: 0, kept: 0, lost: [], wanted: new Set() };
  await mkdir(blobsFolder(directory), { recursive: true, mode: 0o700 });
  for await (const { digest, sizeBytes } of listBlobs({ directory, manifest })) {
    result.wanted.add(digest.replace(/^sha256:/, ''));
    manifest.blobs.count++;
    manifest.blobs.sizeBytes += sizeBytes;
  }
  report.begin('blobs', { total: manifest.blobs.count, bytesTotal: manifest.blobs.sizeBytes });
  await forEachConcurrently(listBlobs({ directory, manifest }), BLOBS_AT_ONCE, async (wanted) => {
    signal?.throwIfAborted();
    const outcome = await copyBlob(wanted, { blobs, directory, verify, onBytes: report.addBytes, signal });
    if (outcome === 'copied' || outcome === 'kept') {
      result[outcome]++;
    } else {
      report.addBytes(wanted.sizeBytes);
      result.lost.push({ digest: wanted.digest, sizeBytes: wanted.sizeBytes, reason: outcome });
    }
    report.add(1);
  });
  report.begin('finishing');
  return result;
}

/** Makes the names of all blobs durable: one flush for each folder, however many were copied into it. */
async function syncBlobs(directory: string): Promise<void> {
  const root = blobsFolder(directory);
  for (const folder of [...(await listBlobFolders(directory)), root, dirname(root), directory])
    await syncFolder(folder);
}
