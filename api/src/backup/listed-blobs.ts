// Reads the blobs of a backup, and the artefacts that refer to them, from its table files.

import type { BackupBlob } from './blob-file.ts';
import { tablePath, type LostBlob, type Manifest } from './layout.ts';
import { readTableFile } from './table-file.ts';

interface Backup {
  directory: string;
  manifest: Manifest;
}

/** Yields every blob that a slot refers to. */
export async function* listBlobs({ directory, manifest }: Backup): AsyncGenerator<BackupBlob> {
  for await (const row of readTableFile(tablePath(directory, manifest.snapshot, 'blobs'))) {
    yield {
      digest: row['digest'] as string,
      storageKey: row['storage_key'] as string,
      sizeBytes: row['size'] as number,
      isKnownDamaged: row['state'] === 'damaged',
    };
  }
}

/** Adds the artefacts of lost blobs, from the slots of the same snapshot; sorts by digest. */
export async function addArtefacts(
  { directory, manifest }: Backup,
  lost: readonly Omit<LostBlob, 'artefacts'>[],
): Promise<LostBlob[]> {
  const byDigest = new Map(lost.map((blob) => [blob.digest, { ...blob, artefacts: [] as LostBlob['artefacts'] }]));
  if (byDigest.size === 0) return [];
  for await (const row of readTableFile(tablePath(directory, manifest.snapshot, 'slots'))) {
    byDigest
      .get(row['digest'] as string)
      ?.artefacts.push({ id: row['artefact_id'] as string, architecture: row['architecture'] as string });
  }
  return [...byDigest.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
}
