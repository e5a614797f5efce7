// Checks that a download from another registry fits on the disk and under the upload limit.

import { StorageFullError, type Blobs } from '../blobs/index.ts';
import { UploadTooLargeError } from '../http/index.ts';

/** Kept free for everything else. */
const SPARE_BYTES = 64 * 1024 * 1024;
/** How long the free space is cached, since concurrent downloads check it at the same time. */
const CACHE_MS = 100;

/** Creates the check. @returns a function that throws upload_too_large or storage_full */
export function createDiskSpaceCheck(
  blobs: Pick<Blobs, 'freeBytes'>,
  maxUploadBytes: number,
): (sizeBytes: number) => Promise<void> {
  let cached: Promise<number | undefined> | undefined;
  let cachedAt = -Infinity;

  function freeBytes(): Promise<number | undefined> {
    if (cached && performance.now() - cachedAt < CACHE_MS) return cached;
    cachedAt = performance.now();
    return (cached = blobs.freeBytes());
  }

  return async (sizeBytes) => {
    if (sizeBytes > maxUploadBytes)
      throw new UploadTooLargeError(
        `It has ${sizeBytes} bytes; this registry accepts at most ${maxUploadBytes} (MAX_UPLOAD_BYTES).`,
      );
    const free = await freeBytes();
    if (free !== undefined && sizeBytes + SPARE_BYTES > free)
      throw new StorageFullError(
        `It has ${sizeBytes} bytes, but only ${free} bytes are free on the disk of this registry: free up space.`,
      );
  };
}
