// Checks, before anything is changed, that a directory contains a backup that this version can restore.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { knownMigrations } from '../db/index.ts';
import { forEachConcurrently } from './concurrent.ts';
import { hasBlobFile, type BackupBlob } from './blob-file.ts';
import { readManifest, withDirectoryErrors } from './directory.ts';
import { BackupInvalidError, BackupLostBlobsError, BackupTooNewError } from './errors.ts';
import { secretsPath, tablePath, type LostBlob, type Manifest } from './layout.ts';
import { listBlobs, addArtefacts } from './listed-blobs.ts';
import type { ProgressReport } from './progress.ts';
import { digestOfFile } from './table-file.ts';

/** A backup whose manifest, tables and secrets have been verified; its blobs have not. */
export interface CheckedBackup {
  directory: string;
  manifest: Manifest;
  secrets: Record<string, string>;
}

/** Concurrent file lookups. */
const LOOKUP_LIMIT = { total: 4, weightOf: () => 1 };
/** Artefacts named in an error message. */
const MAX_NAMED_ARTEFACTS = 5;

/**
 * Reads a backup's manifest, tables and secrets and verifies their digests. Changes nothing.
 * @throws backup_invalid, backup_too_new, backup_directory_unusable
 */
export async function checkBackup(path: string): Promise<CheckedBackup> {
  const directory = resolve(path);
  return withDirectoryErrors(directory, async () => {
    const manifest = await readManifest(directory);
    const known = knownMigrations();
    const newer = manifest.migrations.filter((name) => !known.includes(name));
    if (newer.length > 0)
      throw new BackupTooNewError(
        `${directory} was written by Berth ${manifest.berthVersion}, whose database schema is newer than this ` +
          `version (${newer.join(', ')}). Restore it with that version or a later one.`,
      );
    for (const table of manifest.tables)
      await assertDigest(tablePath(directory, manifest.snapshot, table.name), table.digest);
    const { digest } = manifest.secrets;
    if (digest === undefined) return { directory, manifest, secrets: {} };
    const file = secretsPath(directory, manifest.snapshot);
    await assertDigest(file, digest);
    return { directory, manifest, secrets: JSON.parse(await readFile(file, 'utf8')) as Record<string, string> };
  });
}

/** Finds blobs whose file is missing or has the wrong size, without reading the files. */
export async function findLost(backup: CheckedBackup, report: ProgressReport): Promise<LostBlob[]> {
  const { directory, manifest } = backup;
  report.begin('checking', { total: manifest.blobs.count });
  const lost: BackupBlob[] = [];
  await forEachConcurrently(listBlobs(backup), LOOKUP_LIMIT, async (blob) => {
    if (!(await hasBlobFile(directory, blob))) lost.push(blob);
    report.add(1);
  });
  return addArtefacts(
    backup,
    lost.map(({ digest, sizeBytes }) => ({ digest, sizeBytes, reason: 'missing' })),
  );
}

/** Throws if the backup has lost blobs. @throws backup_lost_blobs */
export function assertNothingLost({ directory }: CheckedBackup, lost: readonly LostBlob[]): void {
  if (lost.length === 0) return;
  const ids = [...new Set(lost.flatMap(({ artefacts }) => artefacts.map(({ id }) => id)))];
  const named = ids.slice(0, MAX_NAMED_ARTEFACTS).join(', ');
  const others = ids.length > MAX_NAMED_ARTEFACTS ? ` and ${ids.length - MAX_NAMED_ARTEFACTS} more` : '';
  throw new BackupLostBlobsError(
    `${directory} has missing or damaged blobs of ${named}${others}. Use another copy of the backup, or restore the ` +
      'rest with --allow-lost.',
  );
}

async function assertDigest(path: string, digest: string): Promise<void> {
  if ((await digestOfFile(path)) !== digest)
    throw new BackupInvalidError(
      `${path} was changed after the backup was written. Use another backup, or another copy of this one.`,
    );
}
