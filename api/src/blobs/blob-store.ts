// What a storage driver is: the interface that every one of drivers/ implements, the rules it keeps, the shape of
// keys. Bytes only: which digest a blob has, who refers to it and when it is swept is known one level above.

import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { ByteRange } from '../http/index.ts';
import { BlobKeyInvalidError, BlobRangeInvalidError } from './errors.ts';

export type { ByteRange };

/**
 * Keeps blobs: bytes that are written once, under a key of their own, and never changed.
 *
 * Keys are opaque: lower-case `[a-z0-9._-]` segments joined by `/`, see `isStorageKey`; `createStorageKey` makes them.
 * No key may be a folder of another one. A blob cannot be read before its writer's `finish()` has succeeded.
 *
 * One writer of a key at a time, in all processes together. The caller ensures it: by a fresh key for `create()`, by a
 * lock for `resume()`.
 *
 * Every method rejects with `storage_unavailable` (503) when the storage is away or refuses to work and, where it
 * takes a key, with `blob_key_invalid` (500). The vendor's error is the `cause`; no `detail` names a key, path, bucket
 * or host. /
 */
export interface BlobStore {
  readonly kind: 'fs' | 's3';

  /**
   * Starts a blob.
   *
   * @param key must be fresh, from `createStorageKey`. A driver need not notice that a key is in use. fs rejects it,
   *   and of concurrent creates exactly one succeeds. S3 makes no request: of several writers of a key the last to
   *   finish overwrites what the others have stored
   * @throws blob_exists (fs only); storage_full. On S3 an outage shows only in `append`, `suspend` or `finish`
   */
  create(key: string): Promise<BlobWriter>;

  /**
   * Continues an unfinished blob that was suspended, or whose process died.
   *
   * @param state what `BlobWriter.state` of the earlier writer gave
   * @returns a writer whose `offset` is the count of bytes that are kept: after `suspend()` all that was appended,
   *   after a crash possibly fewer (fs: up to 1 MiB; S3: up to two parts and one chunk), never others
   * @throws blob_missing when nothing unfinished has this key and state: on S3 also after a crash before `state` was
   *   set; blob_exists when the blob is finished already /
   */
  resume(key: string, state: string): Promise<BlobWriter>;

  /** Tells the size of a finished blob. @throws blob_missing */
  stat(key: string): Promise<{ sizeBytes: number }>;

  /**
   * Opens a finished blob, or a part of it, in chunks of at most 1 MiB; the stream holds two at most. Destroying it
   * early releases everything. A failure underway destroys it with an error of this interface.
   *
   * @throws blob_missing before the first byte; blob_range_invalid, see `resolveRange` /
   */
  read(key: string, range?: ByteRange): Promise<Readable>;

  /**
   * Hands a finished blob, or a part of it, to `write` in chunks of at most 1 MiB, in order and never two at a time;
   * the quickest way out. A chunk's memory is used again as soon as its `write` has settled.
   *
   * @throws as `read`, before the first `write` or underway; whatever `write` throws, and then nothing more is written
   *   /
   */
  send(key: string, range: ByteRange | undefined, write: (chunk: Uint8Array) => Promise<void>): Promise<void>;

  /**
   * Makes a URL under which anybody can fetch a finished blob for a while; whether there is one is not looked at. Left
   * out where the storage gives no URLs out, or is not to. /
   */
  readonly link?: (key: string, headers: BlobLinkHeaders) => Promise<string>;

  /** Tells how many bytes more fit, where the storage is of a size that can be told. */
  readonly freeBytes?: () => Promise<number>;

  /** Removes a blob, finished or not. Succeeds when there is none. Not for the key of a live writer: abort that. */
  delete(key: string, options?: BlobDeleteOptions): Promise<void>;

  /**
   * Lists every blob of which something is stored under the root, each key once, in no order. What comes or goes
   * meanwhile may be in it or not.
   */
  list(): AsyncIterable<StoredBlob>;

  /**
   * Probes for readiness that the root can be written and read, leaving nothing behind. A full storage passes: it
   * still serves.
   *
   * @throws storage_unavailable /
   */
  check(): Promise<void>;
}

/**
 * Writes one blob from its start to its end. Calls run one after another in the order in which they were made, so
 * `abort()` may be called while an `append()` is underway. /
 */
export interface BlobWriter {
  readonly key: string;
  /**
   * What `resume` needs besides the key: at most 1,024 characters. Empty after `create()`; may be set once, by an
   * `append` or the first `suspend`, and is final then. fs: always empty. S3: the upload ID, from when the blob
   * exceeds the first part or is suspended.
   */
  readonly state: string;
  /**
   * Count of bytes taken so far, where the next append goes. They are durable after `suspend()` or `finish()`, not
   * before.
   */
  readonly offset: number;

  /**
   * Adds a chunk of any length. When it fails, `offset` stands where it was and the same append may be tried again.
   *
   * @param chunk belongs to the driver until the promise settles; the caller may reuse the memory then
   * @throws blob_offset_mismatch when `offset` is not this writer's; blob_writer_closed; storage_full
   */
  append(offset: number, chunk: Uint8Array): Promise<void>;

  /**
   * Makes the blob durable and readable. After a failure only `abort()` is left: a failed fsync must not be tried
   * again, as the kernel may have dropped the pages.
   *
   * @throws blob_writer_closed; storage_full; blob_exists; blob_missing when the blob was deleted beneath the writer.
   *   S3 does not notice that while `state` is empty, since nothing is stored yet /
   */
  finish(): Promise<{ sizeBytes: number }>;

  /**
   * Makes the bytes durable, lets go of them and keeps them for `resume`. Does nothing after `finish()`, `suspend()`
   * or `abort()`.
   * @throws storage_full
   */
  suspend(): Promise<void>;

  /**
   * Removes what was written. Does nothing after a successful `finish()` or `suspend()` (then it is
   * `BlobStore.delete`'s), nor the second time.
   */
  abort(): Promise<void>;
}

export interface BlobDeleteOptions {
  /**
   * The blob was finished: S3 spares two of three requests and does not look for an upload or a tail of it. Should
   * there be one, `list()` shows it as an unfinished blob. Default false.
   */
  isFinished?: boolean;
}

/** Headers that the storage answers a link with. */
export interface BlobLinkHeaders {
  contentDisposition: string;
  contentType: string;
}

export interface StoredBlob {
  key: string;
  /** Of an unfinished blob a lower bound, 0 where the storage does not tell. */
  sizeBytes: number;
  /** Of an unfinished blob the time of its start or of its last bytes, as the storage tells. */
  modifiedAt: Date;
  finished: boolean;
}

/** Longest chunk that `BlobStore.read` gives: streams of 64 KiB chunks reach little more than half the speed. */
export const READ_CHUNK_BYTES = 1024 * 1024;

/** S3 allows 1,024 bytes with the root folder, file systems 255 a segment with a driver's suffix. */
const MAX_KEY_LENGTH = 200;

const KEY_SEGMENT = /^[a-z0-9._-]+$/;

/** Makes a key that was never used: 128 random bits, in one of 256 folders: `'3f/3fa94c…'`, 35 characters. */
export function createStorageKey(): string {
  const id = randomBytes(16).toString('hex');
  return `${id.slice(0, 2)}/${id}`;
}

/**
 * Tells whether a key is well-formed: at most 200 characters; segments of `[a-z0-9._-]` between slashes, none empty,
 * `.` or `..`.
 */
export function isStorageKey(key: string): boolean {
  return (
    key.length <= MAX_KEY_LENGTH &&
    key.split('/').every((segment) => KEY_SEGMENT.test(segment) && segment !== '.' && segment !== '..')
  );
}

/**
 * Refuses what `isStorageKey` does. Every driver calls it first, in each method that takes a key.
 * @throws blob_key_invalid
 */
export function assertStorageKey(key: string): void {
  if (!isStorageKey(key)) throw new BlobKeyInvalidError('This is a fault of the server; report it to its operator.');
}

/**
 * Finds the bytes that a range names, as S3 and RFC 9110 (14.1.2) do: an end beyond the last byte means the last byte.
 *
 * @param range without it the whole blob, which of an empty one is `{ start: 0, end: -1 }`
 * @throws blob_range_invalid when it is not made of whole numbers with 0 ≤ start ≤ end, or starts behind the last byte
 */
export function resolveRange(sizeBytes: number, range?: ByteRange): ByteRange {
  if (!range) return { start: 0, end: sizeBytes - 1 };
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start || start >= sizeBytes) {
    throw new BlobRangeInvalidError(`Ask for bytes within the ${sizeBytes} that there are.`);
  }
  return { start, end: Math.min(end, sizeBytes - 1) };
}
