// The storage driver contract: the interface that every driver in drivers/ implements, its rules, and the key format.
// Bytes only: digests, references and garbage collection live one level above.

import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { ByteRange } from '../http/index.ts';
import { BlobKeyInvalidError, BlobRangeInvalidError } from './errors.ts';

export type { ByteRange };

/**
 * Stores blobs: bytes written once under a unique key and never changed.
 *
 * Keys are opaque: lower-case `[a-z0-9._-]` segments joined by `/`, see `isStorageKey`; `createStorageKey` makes them.
 * No key may be a folder of another one. A blob cannot be read before its writer's `finish()` has succeeded.
 *
 * Each key has at most one writer at a time, across all processes. The caller ensures this: with a fresh key for
 * `create()`, with a lock for `resume()`.
 *
 * Every method rejects with `storage_unavailable` (503) when the storage cannot be reached or refuses to work and,
 * where it takes a key, with `blob_key_invalid` (500). The vendor's error is the `cause`; no `detail` names a key,
 * path, bucket or host.
 */
export interface BlobStore {
  readonly kind: 'fs' | 's3';

  /**
   * Starts a blob.
   *
   * @param key must be fresh, from `createStorageKey`. A driver need not detect that a key is in use. fs rejects it,
   *   and exactly one of several concurrent creates succeeds. S3 sends no request: if a key has several writers, the
   *   last to finish overwrites what the others stored
   * @throws blob_exists (fs only); storage_full. On S3 an outage shows only in `append`, `suspend` or `finish`
   */
  create(key: string): Promise<BlobWriter>;

  /**
   * Continues an unfinished blob that was suspended, or whose process died.
   *
   * @param state the earlier writer's `BlobWriter.state`
   * @returns a writer whose `offset` is the number of bytes kept: after `suspend()` all that was appended, after a
   *   crash possibly fewer (fs: up to 1 MiB; S3: up to two parts and one chunk), never different bytes
   * @throws blob_missing when no unfinished blob has this key and state: on S3 also after a crash before `state` was
   *   set; blob_exists when the blob is already finished
   */
  resume(key: string, state: string): Promise<BlobWriter>;

  /** Returns the size of a finished blob. @throws blob_missing */
  stat(key: string): Promise<{ sizeBytes: number }>;

  /**
   * Streams a finished blob, or a range of it, in chunks of at most 1 MiB; the stream buffers at most two. Destroying
   * it early releases everything. A failure while reading destroys it with an error of this interface.
   *
   * @throws blob_missing before the first byte; blob_range_invalid, see `resolveRange`
   */
  read(key: string, range?: ByteRange): Promise<Readable>;

  /**
   * Passes a finished blob, or a range of it, to `write` in chunks of at most 1 MiB, in order and one at a time.
   * Faster than `read`: a chunk's memory is reused as soon as its `write` has settled.
   *
   * @throws as `read`, before the first `write` or later; whatever `write` throws, after which nothing more is written
   */
  send(key: string, range: ByteRange | undefined, write: (chunk: Uint8Array) => Promise<void>): Promise<void>;

  /**
   * Creates a URL under which anybody can fetch a finished blob for a limited time. Does not check that the blob
   * exists. Undefined when the storage has no such URLs, or is configured not to use them.
   */
  readonly link?: (key: string, headers: BlobLinkHeaders) => Promise<string>;

  /** Returns the free space in bytes. Undefined when the storage does not report it. */
  readonly freeBytes?: () => Promise<number>;

  /** Deletes a blob, finished or not; idempotent. Not for the key of a live writer: abort the writer instead. */
  delete(key: string, options?: BlobDeleteOptions): Promise<void>;

  /**
   * Lists every blob that has anything stored under the root, each key once, in no particular order. Blobs created or
   * deleted during the listing may or may not be included.
   */
  list(): AsyncIterable<StoredBlob>;

  /**
   * Readiness probe: checks that the root can be written and read, and leaves nothing behind. A full storage passes,
   * since it can still serve blobs.
   *
   * @throws storage_unavailable
   */
  check(): Promise<void>;
}

/**
 * Writes one blob. Calls are serialised in the order they are made, so `abort()` may be called while an `append()` is
 * in progress.
 */
export interface BlobWriter {
  readonly key: string;
  /**
   * What `resume` needs besides the key: at most 1,024 characters. Empty after `create()`; set at most once, by an
   * `append` or the first `suspend`, and final from then on. fs: always empty. S3: the upload ID, set when the blob
   * exceeds the first part or is suspended.
   */
  readonly state: string;
  /**
   * Number of bytes accepted so far: the position of the next append. They are durable only after `suspend()` or
   * `finish()`.
   */
  readonly offset: number;

  /**
   * Appends a chunk of any length. On failure `offset` is unchanged and the same append may be retried.
   *
   * @param chunk owned by the driver until the promise settles; the caller may then reuse the memory
   * @throws blob_offset_mismatch when `offset` is not this writer's; blob_writer_closed; storage_full
   */
  append(offset: number, chunk: Uint8Array): Promise<void>;

  /**
   * Makes the blob durable and readable. After a failure only `abort()` is allowed: a failed fsync must not be
   * retried, because the kernel may have dropped the pages.
   *
   * @throws blob_writer_closed; storage_full; blob_exists; blob_missing when the blob was deleted while it was being
   *   written. S3 does not detect that while `state` is empty, since nothing is stored yet
   */
  finish(): Promise<{ sizeBytes: number }>;

  /**
   * Makes the bytes durable and closes the writer; `resume` continues later. Does nothing after `finish()`,
   * `suspend()` or `abort()`.
   * @throws storage_full
   */
  suspend(): Promise<void>;

  /**
   * Deletes what was written; idempotent. Does nothing after a successful `finish()` or `suspend()`: use
   * `BlobStore.delete` then.
   */
  abort(): Promise<void>;
}

export interface BlobDeleteOptions {
  /**
   * The blob is known to be finished. S3 then sends one request instead of three, without looking for an upload or
   * tail of it. If one exists after all, `list()` shows it as an unfinished blob. Default false.
   */
  isFinished?: boolean;
}

/** Response headers that the storage sends for a link. */
export interface BlobLinkHeaders {
  contentDisposition: string;
  contentType: string;
}

export interface StoredBlob {
  key: string;
  /** For an unfinished blob a lower bound; 0 where the storage does not report it. */
  sizeBytes: number;
  /** For an unfinished blob the time it was started or last written, whichever the storage reports. */
  modifiedAt: Date;
  finished: boolean;
}

/** Longest chunk that `BlobStore.read` yields: streams of 64 KiB chunks reach little more than half the speed. */
export const READ_CHUNK_BYTES = 1024 * 1024;

/** S3 allows 1,024 bytes including the root folder; file systems allow 255 per segment including a driver's suffix. */
const MAX_KEY_LENGTH = 200;

const KEY_SEGMENT = /^[a-z0-9._-]+$/;

/** Creates a unique key from 128 random bits, in one of 256 folders: `'3f/3fa94c…'`, 35 characters. */
export function createStorageKey(): string {
  const id = randomBytes(16).toString('hex');
  return `${id.slice(0, 2)}/${id}`;
}

/**
 * Checks that a key is well-formed: at most 200 characters; segments of `[a-z0-9._-]` between slashes, none empty,
 * `.` or `..`.
 */
export function isStorageKey(key: string): boolean {
  return (
    key.length <= MAX_KEY_LENGTH &&
    key.split('/').every((segment) => KEY_SEGMENT.test(segment) && segment !== '.' && segment !== '..')
  );
}

/**
 * Throws unless `isStorageKey`. Every driver calls it first in each method that takes a key.
 * @throws blob_key_invalid
 */
export function assertStorageKey(key: string): void {
  if (!isStorageKey(key))
    throw new BlobKeyInvalidError('This is a bug in the server. Please report it to the operator.');
}

/**
 * Resolves a range as S3 and RFC 9110 (14.1.2) do: an end beyond the last byte means the last byte.
 *
 * @param range default the whole blob; for an empty blob that is `{ start: 0, end: -1 }`
 * @throws blob_range_invalid unless it consists of integers with 0 ≤ start ≤ end and starts within the blob
 */
export function resolveRange(sizeBytes: number, range?: ByteRange): ByteRange {
  if (!range) return { start: 0, end: sizeBytes - 1 };
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start || start >= sizeBytes) {
    throw new BlobRangeInvalidError(`The blob has ${sizeBytes} bytes. Request a range within them.`);
  }
  return { start, end: Math.min(end, sizeBytes - 1) };
}
