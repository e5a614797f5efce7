// What can go wrong with stored bytes, whatever the driver.

import { defineError, type BerthError } from '../errors.ts';

/** No room is left: the disk, its quota or the file size limit (fs), the bucket's quota (S3). */
export const StorageFullError = defineError('storage_full', 507, 'The storage is full');

/** The storage does not answer or refuses to work: away, read-only, failing. */
export const StorageUnavailableError = defineError('storage_unavailable', 503, 'The storage is not available');

/**
 * No finished blob has this key, or no unfinished one where a writer is resumed. The server referred to it, so the
 * failure is the server's.
 */
export const BlobMissingError = defineError('blob_missing', 500, 'The bytes of this blob are missing');

/** The key is taken. Keys are random and used once, so the failure is the server's. */
export const BlobExistsError = defineError('blob_exists', 500, 'A blob of this key exists already');

/**
 * The key is not of the shape that `isStorageKey` describes. Keys never come from a client, so the failure is the
 * server's.
 */
export const BlobKeyInvalidError = defineError('blob_key_invalid', 500, 'The key of this blob is not a valid one');

export const BlobOffsetMismatchError = defineError(
  'blob_offset_mismatch',
  409,
  'The bytes do not continue the upload',
);

export const BlobWriterClosedError = defineError('blob_writer_closed', 409, 'The upload takes no more bytes');

/** RFC 9110, 15.5.17. */
export const BlobRangeInvalidError = defineError('blob_range_invalid', 416, 'The range is not within the blob');

/** Makes the failure of a blob whose bytes are not there, or too few. */
export function blobMissing(cause?: unknown): BerthError {
  return new BlobMissingError('The operator can check the storage; uploading the same bytes again repairs it.', {
    cause,
  });
}

/** Makes the failure of a key that has a blob already. */
export function keyTaken(cause?: unknown): BerthError {
  return new BlobExistsError('This is a fault of the server; report it to its operator.', { cause });
}

/** Makes a function that runs work and lets it fail with what `map` makes of its failure. */
export function mapErrors(map: (error: unknown) => unknown): <T>(work: () => Promise<T>) => Promise<T> {
  return async (work) => {
    try {
      return await work();
    } catch (error) {
      throw map(error);
    }
  };
}

/** Makes a function that runs steps one after the other by `run`, whether those before succeeded or not. */
export function serialized(run: <T>(step: () => Promise<T>) => Promise<T>): typeof run {
  let last: Promise<unknown> = Promise.resolve();
  return (step) => {
    const result = last.then(() => run(step));
    last = result.catch(() => undefined);
    return result;
  };
}
