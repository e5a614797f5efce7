// Maps S3 and network errors to the store's errors.

import { BerthError } from '../../errors.ts';
import { mapErrors, NO_SPACE, NO_STORAGE, StorageFullError, StorageUnavailableError } from '../errors.ts';

/**
 * Error names for an exceeded quota in radosgw, MinIO and OpenStack Swift. Amazon has no quotas.
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
 * An upload that was completed or aborted. Swift reports `NoSuchKey` for an upload that ends while it is being read.
 */
const UPLOAD_GONE = ['NoSuchUpload', 'NoSuchKey'];
/** An object that does not exist. The response to a HEAD has no body, hence only `NotFound`. */
const OBJECT_GONE = ['NoSuchKey', 'NotFound'];

/** Checks for an upload that does not exist. */
export function isUploadGone(error: unknown): boolean {
  return isNamed(error, UPLOAD_GONE);
}

/** Checks for an object that does not exist. After a HEAD, the bucket may be missing instead. */
export function isObjectGone(error: unknown): boolean {
  return isNamed(error, OBJECT_GONE);
}

/** Checks for a range that starts after the last byte of the object. */
export function isRangeInvalid(error: unknown): boolean {
  return isNamed(error, ['InvalidRange']);
}

/** Ignores the error of an upload that does not exist and rethrows any other: `abort().catch(ignoreUploadGone)`. */
export function ignoreUploadGone(error: unknown): void {
  if (!isUploadGone(error)) throw error;
}

function isNamed(error: unknown, names: string[]): boolean {
  return error instanceof Error && names.includes(error.name);
}

/**
 * Turns an S3 or network error into `storage_full` or `storage_unavailable`. Returns errors of this interface and
 * programming errors unchanged.
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
    return new StorageFullError(NO_SPACE, { cause: error });
  return new StorageUnavailableError(NO_STORAGE, { cause: error });
}

/** Runs work on S3 and maps its errors to the store's. */
export const withStorageErrors = mapErrors(toStorageError);
