// Where things are in the bucket: every name that the driver hands to S3 is made here, and lies below the root.

import type { S3 } from '@aws-sdk/client-s3';
import { assertStorageKey, isStorageKey } from '../blob-store.ts';

/** Folder of what is no blob; `~` is in no key. */
const TAILS = '~tails/';

/** Room for the root, a folder of tails and the longest key in the 1,024 bytes that S3 allows. */
const MAX_ROOT_BYTES = 800;

export interface S3Place {
  readonly s3: S3;
  readonly bucket: string;
  /** The root and a slash; empty where the whole bucket is the root. */
  readonly prefix: string;
  /** Prefix of all tails: see S3BlobWriter. */
  readonly tailPrefix: string;
  /** Names the object of a blob. @throws blob_key_invalid */
  object(key: string): { Bucket: string; Key: string };
  /** Names the object of a suspended blob's last bytes. @throws blob_key_invalid */
  tail(key: string): { Bucket: string; Key: string };
  /** Tells the key of the blob whose object has this name, or undefined for anything else. */
  keyOf(objectName: string): string | undefined;
  /** The same for names of tails. */
  keyOfTail(objectName: string): string | undefined;
}

export function createS3Place({ s3, bucket, root }: { s3: S3; bucket: string; root: string }): S3Place {
  assertRoot(root);
  const prefix = root === '' ? '' : `${root}/`;
  const below = (start: string, name: string) => {
    const key = name.startsWith(start) ? name.slice(start.length) : '';
    return isStorageKey(key) ? key : undefined;
  };
  const named = (start: string) => (key: string) => {
    assertStorageKey(key);
    return { Bucket: bucket, Key: start + key };
  };
  return {
    s3,
    bucket,
    prefix,
    tailPrefix: prefix + TAILS,
    object: named(prefix),
    tail: named(prefix + TAILS),
    keyOf: (name) => below(prefix, name),
    keyOfTail: (name) => below(prefix + TAILS, name),
  };
}

/** Refuses a root that S3 servers or proxies before them would not take as it is. */
function assertRoot(root: string): void {
  const isPlain = root
    .split('/')
    .every((segment) => segment !== '' && segment !== '.' && segment !== '..' && !/[\p{Cc}\\]/u.test(segment));
  if (root !== '' && (!isPlain || Buffer.byteLength(root) > MAX_ROOT_BYTES)) {
    throw new Error(
      'the root of an S3 store is one or more folders such as berth/blobs, without empty ones, "." or ".."',
    );
  }
}
