// The blobs of a backup and whose they are, as its tables tell.

import type { WantedBlob } from './blob-file.ts';
import { tablePath, type LostBlob, type Manifest } from './layout.ts';
import { readTableFile } from './table-file.ts';

interface Backup {
  directory: string;
  manifest: Manifest;
}

/** Yields every blob that a slot refers to. */
export async function* listBlobs({ directory, manifest }: Backup): AsyncGenerator<WantedBlob> {
  for await (const { digest, size, state } of readTableFile(tablePath(directory, manifest.snapshot, 'blobs'))) {
    yield { digest: digest as string, sizeBytes: size as number, isKnownDamaged: state === 'damaged' };
  }
}

/** Says whose bytes are lost, by the slots of the same moment; sorted by digest. */
export async function nameArtefacts(
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
