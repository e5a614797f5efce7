// Errors of blob storage, common to all drivers.

import { defineError, type BerthError } from '../errors.ts';

/** No space left: on the disk, in its quota or within the file size limit (fs); in the bucket's quota (S3). */
export const StorageFullError = defineError('storage_full', 507, 'Storage full', { retryAfterSeconds: 10 });

/** The storage cannot be reached, is read-only or fails. */
export const StorageUnavailableError = defineError('storage_unavailable', 503, 'Storage unavailable', {
  retryAfterSeconds: 5,
});

/** Details of the two for errors of the file system and of S3. */
export const NO_SPACE =
  'No space is left in the storage, so nothing was stored: try again after its operator has freed some.';
export const NO_STORAGE =
  'The storage does not answer, or fails: try again later. The log tells the operator the reason.';

/**
 * No finished blob has this key, or no unfinished blob when a writer is resumed. The server refers to it, so this is a
 * server error.
 */
export const BlobMissingError = defineError('blob_missing', 500, 'Blob content missing');

/** The key is in use. Keys are random and used once, so this is a server error. */
export const BlobExistsError = defineError('blob_exists', 500, 'Blob already exists');

/** The key is not well-formed, see `isStorageKey`. Keys never come from a client, so this is a server error. */
export const BlobKeyInvalidError = defineError('blob_key_invalid', 500, 'Invalid blob key');

export const BlobOffsetMismatchError = defineError('blob_offset_mismatch', 409, 'Upload offset mismatch');

export const BlobWriterClosedError = defineError('blob_writer_closed', 409, 'Upload closed');

/** RFC 9110, 15.5.17. */
export const BlobRangeInvalidError = defineError('blob_range_invalid', 416, 'Range outside the blob');

/** Creates the error for a blob whose bytes are missing or too few. */
export function blobMissing(cause?: unknown): BerthError {
  return new BlobMissingError(
    'Ask the operator to check the storage, or upload the same bytes again to restore the blob.',
    { cause },
  );
}

/** Creates the error for a key that already has a blob. */
export function blobExists(cause?: unknown): BerthError {
  return new BlobExistsError('This is a bug in the server. Please report it to the operator.', { cause });
}

/** Returns a function that runs work and passes its failure through `map`. */
export function mapErrors(map: (error: unknown) => unknown): <T>(work: () => Promise<T>) => Promise<T> {
  return async (work) => {
    try {
      return await work();
    } catch (error) {
      throw map(error);
    }
  };
}

/** Returns a function that serialises calls of `run`. A failed step does not stop the later ones. */
export function serialized(run: <T>(step: () => Promise<T>) => Promise<T>): typeof run {
  let last: Promise<unknown> = Promise.resolve();
  return (step) => {
    const result = last.then(() => run(step));
    last = result.catch(() => undefined);
    return result;
  };
}
