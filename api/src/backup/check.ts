// Whether a folder holds a backup that this program can restore, before anything is changed.

import { readFile } from 'node:fs/promises';
import { knownMigrations } from '../db/index.ts';
import { forEachConcurrently } from './concurrent.ts';
import { hasBlobFile, type WantedBlob } from './blob-file.ts';
import { aboutDirectory, absolute, readManifest } from './directory.ts';
import { BackupInvalidError, BackupLostBlobsError, BackupTooNewError } from './errors.ts';
import { secretsPath, tablePath, type LostBlob, type Manifest } from './layout.ts';
import { listBlobs, nameArtefacts } from './listed-blobs.ts';
import type { ProgressReport } from './progress.ts';
import { digestOfFile } from './table-file.ts';

/** A backup that was read and found whole, but for the bytes of its blobs. */
export interface CheckedBackup {
  directory: string;
  manifest: Manifest;
  secrets: Record<string, string>;
}

/** Files looked up at a time. */
const FILES_AT_ONCE = 4;
/** Artefacts that a refusal names. */
const NAMED_ARTEFACTS = 5;

/**
 * Reads a backup's manifest, tables and secrets, and compares them with their digests. Changes nothing.
 * @throws backup_invalid, backup_too_new, backup_directory_unusable
 */
export async function checkBackup(path: string): Promise<CheckedBackup> {
  const directory = absolute(path);
  return aboutDirectory(directory, async () => {
    const manifest = await readManifest(directory);
    const known = knownMigrations();
    const newer = manifest.migrations.filter((name) => !known.includes(name));
    if (newer.length > 0)
      throw new BackupTooNewError(
        `${directory} is of Berth ${manifest.berthVersion}, whose database is newer than this program ` +
          `(${newer.join(', ')}): restore it with that Berth or a later one.`,
      );
    for (const table of manifest.tables)
      await requireDigest(tablePath(directory, manifest.snapshot, table.name), table.digest);
    const { digest } = manifest.secrets;
    if (digest === undefined) return { directory, manifest, secrets: {} };
    const file = secretsPath(directory, manifest.snapshot);
    await requireDigest(file, digest);
    return { directory, manifest, secrets: JSON.parse(await readFile(file, 'utf8')) as Record<string, string> };
  });
}

/** Finds what is seen without reading: files that are missing or of another size. */
export async function findLost(backup: CheckedBackup, report: ProgressReport): Promise<LostBlob[]> {
  const { directory, manifest } = backup;
  report.begin('checking', { total: manifest.blobs.count });
  const lost: WantedBlob[] = [];
  await forEachConcurrently(listBlobs(backup), FILES_AT_ONCE, async (wanted) => {
    if (!(await hasBlobFile(directory, wanted))) lost.push(wanted);
    report.add(1);
  });
  return nameArtefacts(
    backup,
    lost.map(({ digest, sizeBytes }) => ({ digest, sizeBytes, reason: 'missing' })),
  );
}

/** Refuses what has lost bytes. @throws backup_lost_blobs */
export function refuseLost({ directory }: CheckedBackup, lost: readonly LostBlob[]): void {
  if (lost.length === 0) return;
  const ids = [...new Set(lost.flatMap(({ artefacts }) => artefacts.map(({ id }) => id)))];
  throw new BackupLostBlobsError(
    `${directory} lacks the right bytes ` +
      `of ${ids.slice(0, NAMED_ARTEFACTS).join(', ')}${ids.length > NAMED_ARTEFACTS ? ` and ${ids.length - NAMED_ARTEFACTS} more` : ''}: use another copy of it, or restore the rest with --allow-lost.`,
  );
}

async function requireDigest(path: string, digest: string): Promise<void> {
  if ((await digestOfFile(path)) !== digest)
    throw new BackupInvalidError(
      `${path} was changed since the backup was written: take another backup, or another copy of this one.`,
    );
}
