// The blobs of a backup and whose they are, as its tables tell.

import type { WantedBlob } from './blob-file.ts';
import { tablePath, type LostBlob, type Manifest } from './layout.ts';
import { readTableFile } from './table-file.ts';

interface Backup { directory: string; manifest: Manifest }

/** Yields every blob that a slot refers to. */
export async function* listBlobs({ directory, manifest }: Backup): AsyncGenerator<WantedBlob> {
  for await (const row of readTableFile(tablePath(directory, manifest.snapshot, 'blobs'))) yield { digest: row['digest'] as string, sizeBytes: row['size'] as number };
}

/** Says whose bytes are lost, by the slots of the same moment; sorted by digest. */
export async function nameSlots({ directory, manifest }: Backup, lost: readonly Omit<LostBlob, 'slots'>[]): Promise<LostBlob[]> {
  const byDigest = new Map(lost.map((blob) => [blob.digest, { ...blob, slots: [] as LostBlob['slots'] }]));
  if (byDigest.size === 0) return [];
  for await (const row of readTableFile(tablePath(directory, manifest.snapshot, 'slots'))) {
    const architecture = row['architecture'] as string;
    byDigest.get(row['digest'] as string)?.slots.push({ artefact: row['artefact_id'] as string, ...(architecture !== '' && { architecture }) });
  }
  return [...byDigest.values()].sort((a, b) => a.digest < b.digest ? -1 : 1);
}
