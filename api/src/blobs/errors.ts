// What can go wrong with stored bytes, whatever the driver.

import { defineError } from '../errors.ts';

/** No room is left: the disk, its quota or the file size limit (fs), the bucket's quota (S3). */
export const StorageFullError = defineError('storage_full', 507, 'The storage is full');

/** The storage does not answer or refuses to work: away, read-only, failing. */
export const StorageUnavailableError = defineError('storage_unavailable', 503, 'The storage is not available');

/** No finished blob has this key, or no unfinished one where a writer is resumed. The server referred to it, so the failure is the server's. */
export const BlobMissingError = defineError('blob_missing', 500, 'The bytes of this blob are missing');

/** The key is taken. Keys are random and used once, so the failure is the server's. */
export const BlobExistsError = defineError('blob_exists', 500, 'A blob of this key exists already');

/** The key is not of the shape that `isStorageKey` describes. Keys never come from a client, so the failure is the server's. */
export const BlobKeyInvalidError = defineError('blob_key_invalid', 500, 'The key of this blob is not a valid one');

export const BlobOffsetMismatchError = defineError('blob_offset_mismatch', 409, 'The bytes do not continue the upload');

export const BlobWriterClosedError = defineError('blob_writer_closed', 409, 'The upload takes no more bytes');

/** RFC 9110, 15.5.17. */
export const BlobRangeInvalidError = defineError('blob_range_invalid', 416, 'The range is not within the blob');
