// The file of one blob in a backup: copied from the storage and verified while copying, or read back.

import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BlobMissingError, type Blobs } from '../blobs/index.ts';
import { digestOf } from '../digests/index.ts';
import { BerthError } from '../errors.ts';
import { blobPath, PARTIAL_SUFFIX, type LostBlob } from './layout.ts';
import { digestOfFile } from './table-file.ts';

export interface BackupBlob {
  digest: string;
  /** Where the original instance stores it. */
  storageKey: string;
  sizeBytes: number;
  /** A scrub has found the blob damaged; its bytes are no longer served. */
  isKnownDamaged?: boolean;
}
export type CopyOutcome = 'copied' | 'kept' | LostBlob['reason'];

export interface CopyOptions {
  blobs: Blobs;
  directory: string;
  /** Verify existing files by digest instead of by size only. */
  verify: boolean;
  onBytes: (count: number) => void;
  signal: AbortSignal | undefined;
}

/** A disk may fail on a single file only: reading it is retried before it is reported as unreadable. */
const ATTEMPTS = 3;
/** Chunk size for reading a file. */
const READ_BYTES = 1024 * 1024;

/**
 * Copies a blob into the backup unless it is there. A file with a wrong size or digest is never left under the
 * digest's name. The file name is durable once its folder has been synced.
 *
 * @throws storage_unavailable when the storage as a whole does not respond; the reason of `signal`
 */
export async function copyBlob(
  blob: BackupBlob,
  { blobs, directory, verify, onBytes, signal }: CopyOptions,
): Promise<CopyOutcome> {
  const path = blobPath(directory, blob.digest);
  if ((await hasBlobFile(directory, blob)) && (!verify || (await digestOfFile(path)) === blob.digest)) {
    onBytes(blob.sizeBytes);
    return 'kept';
  }
  for (let attempt = 1; ; attempt++) {
    let counted = 0;
    const count = (bytes: number) => {
      counted += bytes;
      onBytes(bytes);
    };
    try {
      return await write(blob, { blobs, path, onBytes: count, signal });
    } catch (error) {
      onBytes(-counted);
      if (error instanceof BlobMissingError) return counted === 0 && !blob.isKnownDamaged ? 'missing' : 'damaged';
      if (!(error instanceof BerthError) || error.code !== 'storage_unavailable') throw error;
      await blobs.check();
      if (attempt === ATTEMPTS) return 'unreadable';
    }
  }
}

/** Checks whether the backup has a file of this digest and size. */
export async function hasBlobFile(
  directory: string,
  { digest, sizeBytes }: Pick<BackupBlob, 'digest' | 'sizeBytes'>,
): Promise<boolean> {
  const stats = await stat(blobPath(directory, digest)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  return stats?.isFile() === true && stats.size === sizeBytes;
}

/** Yields the bytes of a file in the backup in chunks. All chunks share the same memory. */
export async function* readBlobFile(
  directory: string,
  { digest, sizeBytes }: Pick<BackupBlob, 'digest' | 'sizeBytes'>,
): AsyncGenerator<Uint8Array> {
  const file = await open(blobPath(directory, digest), 'r');
  try {
    const buffer = Buffer.allocUnsafeSlow(Math.min(Math.max(sizeBytes, 1), READ_BYTES));
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close().catch(() => undefined);
  }
}

interface WriteOptions {
  blobs: Blobs;
  path: string;
  onBytes: (count: number) => void;
  signal: AbortSignal | undefined;
}

async function write(
  { digest, sizeBytes }: BackupBlob,
  { blobs, path, onBytes, signal }: WriteOptions,
): Promise<CopyOutcome> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const partial = path + PARTIAL_SUFFIX;
  const file = await open(partial, 'w', 0o600);
  const hash = createHash('sha256');
  let written = 0;
  try {
    await blobs.send(digest, undefined, async (chunk) => {
      signal?.throwIfAborted();
      hash.update(chunk);
      await file.writeFile(chunk);
      written += chunk.length;
      onBytes(chunk.length);
    });
    if (written !== sizeBytes || digestOf(hash) !== digest) {
      onBytes(-written);
      return 'damaged';
    }
    await file.sync();
    await rename(partial, path);
    return 'copied';
  } finally {
    await file.close().catch(() => undefined);
    await rm(partial, { force: true }).catch(() => undefined);
  }
}
