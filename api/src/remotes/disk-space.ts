// Whether the disk has space for what another registry has.

import { StorageFullError, type Blobs } from '../blobs/index.ts';
import { UploadTooLargeError } from '../http/index.ts';

/** What stays free for everything else. */
const SPARE_BYTES = 64 * 1024 * 1024;
/** For how long the disk is not asked again, since many ask at once. */
const KEPT_MS = 100;

/** Makes a function that refuses what does not fit. @throws upload_too_large, storage_full */
export function createDiskSpaceCheck(
  blobs: Pick<Blobs, 'freeBytes'>,
  maxUploadBytes: number,
): (sizeBytes: number) => Promise<void> {
  let answer: Promise<number | undefined> | undefined;
  let askedAt = -Infinity;

  function freeBytes(): Promise<number | undefined> {
    if (answer && performance.now() - askedAt < KEPT_MS) return answer;
    askedAt = performance.now();
    return (answer = blobs.freeBytes());
  }

  return async (sizeBytes) => {
    if (sizeBytes > maxUploadBytes)
      throw new UploadTooLargeError(
        `It has ${sizeBytes} bytes; this registry takes at most ${maxUploadBytes} (MAX_UPLOAD_BYTES).`,
      );
    const free = await freeBytes();
    if (free !== undefined && sizeBytes + SPARE_BYTES > free)
      throw new StorageFullError(
        `It has ${sizeBytes} bytes, but only ${free} are free on the disk of this registry: make room.`,
      );
  };
}
