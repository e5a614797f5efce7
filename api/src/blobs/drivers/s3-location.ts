// Object names in the bucket. Every name that the driver sends to S3 is built here and lies toKey the root.

import type { S3 } from '@aws-sdk/client-s3';
import { assertStorageKey, isStorageKey } from '../blob-store.ts';

/** Folder of the tails. No key contains `~`. */
const TAILS = '~tails/';

/** Leaves room for the folder of tails and the longest key within the 1,024 bytes that S3 allows. */
const MAX_ROOT_BYTES = 800;

export interface S3Location {
  readonly s3: S3;
  readonly bucket: string;
  /** The root and a slash; empty when the whole bucket is the root. */
  readonly prefix: string;
  /** Prefix of all tails, see `openS3Store`. */
  readonly tailPrefix: string;
  /** Returns the object of a blob. @throws blob_key_invalid */
  object(key: string): { Bucket: string; Key: string };
  /** Returns the object of a suspended blob's last bytes. @throws blob_key_invalid */
  tail(key: string): { Bucket: string; Key: string };
  /** Returns the key of the blob with this object name; undefined for any other object. */
  keyOf(objectName: string): string | undefined;
  /** Returns the key of the blob with this tail; undefined for any other object. */
  keyOfTail(objectName: string): string | undefined;
}

export function createS3Location({ s3, bucket, root }: { s3: S3; bucket: string; root: string }): S3Location {
  assertRoot(root);
  const prefix = root === '' ? '' : `${root}/`;
  const toKey = (start: string, name: string) => {
    const key = name.startsWith(start) ? name.slice(start.length) : '';
    return isStorageKey(key) ? key : undefined;
  };
  const toObject = (start: string) => (key: string) => {
    assertStorageKey(key);
    return { Bucket: bucket, Key: start + key };
  };
  return {
    s3,
    bucket,
    prefix,
    tailPrefix: prefix + TAILS,
    object: toObject(prefix),
    tail: toObject(prefix + TAILS),
    keyOf: (name) => toKey(prefix, name),
    keyOfTail: (name) => toKey(prefix + TAILS, name),
  };
}

/** Throws for a root that S3 servers or their proxies would not use unchanged. */
function assertRoot(root: string): void {
  const isPlain = root
    .split('/')
    .every((segment) => segment !== '' && segment !== '.' && segment !== '..' && !/[\p{Cc}\\]/u.test(segment));
  if (root !== '' && (!isPlain || Buffer.byteLength(root) > MAX_ROOT_BYTES)) {
    throw new Error(
      'the root of an S3 store must be one or more folders, such as berth/blobs, none empty, "." or ".."',
    );
  }
}
