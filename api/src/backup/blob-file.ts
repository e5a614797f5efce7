// The bytes of one digest as a file of the backup: copied from the storage and checked on the way, or read back.

import { createHash } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BlobMissingError, type Blobs } from '../blobs/index.ts';
import { digestOf } from '../digests/index.ts';
import { BerthError } from '../errors.ts';
import { blobPath, PARTIAL_SUFFIX, type LostBlob } from './layout.ts';
import { digestOfFile } from './table-file.ts';

export interface WantedBlob {
  digest: string;
  sizeBytes: number;
  /** A scrub has found other bytes in its place, which are not given out any more. */
  isKnownDamaged?: boolean;
}
export type CopyOutcome = 'copied' | 'kept' | LostBlob['reason'];

export interface CopyOptions {
  blobs: Blobs;
  directory: string;
  /** Read what is there already, instead of comparing its size alone. */
  verify: boolean;
  onBytes: (count: number) => void;
  signal: AbortSignal | undefined;
}

/** A disk may fail on one file and serve the others: before giving this one up, it is tried again. */
const ATTEMPTS = 3;
/** A file is read in pieces of this size. */
const READ_BYTES = 1024 * 1024;

/**
 * Sees to it that the backup has these bytes; those of a wrong size or digest are never left under the digest's name.
 * The name is durable once its folder was synced.
 *
 * @throws storage_unavailable when the storage as a whole does not answer; the reason of `signal`
 */
export async function copyBlob(
  wanted: WantedBlob,
  { blobs, directory, verify, onBytes, signal }: CopyOptions,
): Promise<CopyOutcome> {
  const path = blobPath(directory, wanted.digest);
  if ((await hasBlobFile(directory, wanted)) && (!verify || (await digestOfFile(path)) === wanted.digest)) {
    onBytes(wanted.sizeBytes);
    return 'kept';
  }
  for (let attempt = 1; ; attempt++) {
    let counted = 0;
    const count = (bytes: number) => {
      counted += bytes;
      onBytes(bytes);
    };
    try {
      return await write(wanted, { blobs, path, onBytes: count, signal });
    } catch (error) {
      onBytes(-counted);
      if (error instanceof BlobMissingError) return counted === 0 && !wanted.isKnownDamaged ? 'missing' : 'damaged';
      if (!(error instanceof BerthError) || error.code !== 'storage_unavailable') throw error;
      await blobs.check();
      if (attempt === ATTEMPTS) return 'unreadable';
    }
  }
}

/** Tells whether the backup has a file of this digest and size. */
export async function hasBlobFile(directory: string, { digest, sizeBytes }: WantedBlob): Promise<boolean> {
  const stats = await stat(blobPath(directory, digest)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  return stats?.isFile() === true && stats.size === sizeBytes;
}

/** Reads a file of the backup piece by piece; the memory of a piece is used again for the next. */
export async function* readBlobFile(directory: string, digest: string): AsyncGenerator<Uint8Array> {
  const file = await open(blobPath(directory, digest), 'r');
  try {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

interface WriteOptions {
  blobs: Blobs;
  path: string;
  onBytes: (count: number) => void;
  signal: AbortSignal | undefined;
}

async function write(
  { digest, sizeBytes }: WantedBlob,
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
    await file.close();
    await rm(partial, { force: true });
  }
}
