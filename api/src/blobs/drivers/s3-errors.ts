// Where failures of S3 and of the way to it become failures of the store.

import { BerthError } from '../../errors.ts';
import { mapErrors, StorageFullError, StorageUnavailableError } from '../errors.ts';

/**
 * A quota, by the names that radosgw, MinIO and OpenStack Swift have for it. Amazon has none.
 * @see https://docs.ceph.com/en/latest/radosgw/s3/ and https://github.com/minio/minio/blob/master/cmd/api-errors.go
 */
const FULL_NAMES = [
  'QuotaExceeded',
  'XMinioAdminBucketQuotaExceeded',
  'XMinioStorageFull',
  'EntityTooLarge',
  'InsufficientCapacity',
];

interface VendorError {
  name: string;
  $metadata?: { httpStatusCode?: number };
}

/**
 * An upload that was completed or aborted; Swift says the second of an upload that it forgets while it is looked at.
 */
const UPLOAD_GONE = ['NoSuchUpload', 'NoSuchKey'];
/** An object that is not there; the answer to a HEAD has no body that could name it. */
const OBJECT_GONE = ['NoSuchKey', 'NotFound'];

/** Tells whether S3 knows no such upload. */
export function isUploadGone(error: unknown): boolean {
  return isNamed(error, UPLOAD_GONE);
}

/** Tells whether S3 has no such object. Of a HEAD it may be the bucket too. */
export function isObjectGone(error: unknown): boolean {
  return isNamed(error, OBJECT_GONE);
}

/** Tells whether a range lies behind the last byte of its object. */
export function isRangeInvalid(error: unknown): boolean {
  return isNamed(error, ['InvalidRange']);
}

/** Lets the failure of an upload that is gone pass and throws any other: `await abort().catch(unlessUploadGone)`. */
export function unlessUploadGone(error: unknown): void {
  if (!isUploadGone(error)) throw error;
}

function isNamed(error: unknown, names: string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

/**
 * Turns a failure of S3 or of the network into `storage_full` or `storage_unavailable`, and gives back an error of
 * this interface, or one of programming, as it is. /
 */
export function toStorageError(error: unknown): unknown {
  if (
    !(error instanceof Error) ||
    error instanceof BerthError ||
    error instanceof TypeError ||
    error instanceof ReferenceError
  )
    return error;
  const { name, $metadata } = error as VendorError;
  if (FULL_NAMES.includes(name) || $metadata?.httpStatusCode === 507)
    return new StorageFullError('Nothing was stored. Try again when the operator has made room.', { cause: error });
  return new StorageUnavailableError('Try again later; the operator finds the reason in the log.', { cause: error });
}

/** Runs work on S3, which fails as a store does. */
export const asStorage = mapErrors(toStorageError);
