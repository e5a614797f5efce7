// S3 driver: blobs as objects of a bucket, below one root. s3-writer.ts writes them, s3-reader.ts reads them,
// s3-location.ts builds all object names, s3-errors.ts maps errors.

import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { CompletedPart } from '@aws-sdk/client-s3';
import { withCleanUp } from '../../errors.ts';
import { assertStorageKey } from '../blob-store.ts';
import type { BlobDeleteOptions, BlobStore, BlobWriter, ByteRange, StoredBlob } from '../blob-store.ts';
import { blobMissing, blobExists, StorageFullError } from '../errors.ts';
import { createS3Client, createUrlSigner, type S3ClientOptions } from './s3-client.ts';
import { withStorageErrors, isObjectGone, isUploadGone, toStorageError } from './s3-errors.ts';
import { abortUploads, listObjects, listParts, listUploads } from './s3-listing.ts';
import { createS3Location, type S3Location } from './s3-location.ts';
import { openObject, toStream } from './s3-reader.ts';
import { S3BlobWriter, TAIL_OFFSET } from './s3-writer.ts';

export { MAX_S3_BLOB_BYTES } from './s3-parts.ts';

/** For each step of a check: a readiness probe must not wait through the timeouts of all retries. */
const CHECK_STEP_TIMEOUT_MS = 5_000;

export interface S3StoreOptions extends S3ClientOptions {
  bucket: string;
  /** Folder for the blobs only, such as `registry/blobs`; an empty string means the whole bucket. */
  root: string;
  /** Validity of links. Default: the store creates no links. */
  linkExpirySeconds?: number;
}

/**
 * Opens a store in an existing bucket, without sending a request. The blob with the key `'3f/3fa9…'` becomes the
 * object `<root>/3f/3fa9…`. A blob that fits into the first part and is never suspended is sent by `finish()` with one
 * `PutObject`; nothing is sent before. Any other blob is a multipart upload until it is finished.
 *
 * All parts but the last must have at least 5 MiB. The last bytes of a suspended blob that do not fill a part are
 * therefore stored in a separate object, the tail, `<root>/~tails/3f/3fa9…`. The tail records how many bytes come
 * before it, so a tail left stale by a crash after more parts were stored is recognised. It is deleted when its blob
 * is finished, aborted or deleted.
 *
 * `create()` sends no request and does not detect a key in use, because not every server has an atomic create. Two
 * writers of one key would overwrite each other's object. Keys are random and used once, so this does not happen.
 *
 * @throws Error when the root is invalid
 */
export async function openS3Store(options: S3StoreOptions): Promise<BlobStore> {
  const s3 = await createS3Client(options, options.bucket);
  const location = createS3Location({ s3, bucket: options.bucket, root: options.root });
  return new S3BlobStore(
    location,
    options.linkExpirySeconds === undefined ? undefined : createLinks(location, options.linkExpirySeconds),
  );
}

function createLinks(location: S3Location, expirySeconds: number): NonNullable<BlobStore['link']> {
  const sign = createUrlSigner(location.s3);
  return (key, { contentDisposition, contentType }) =>
    withStorageErrors(async () => {
      const object = {
        ...location.object(key),
        ResponseContentDisposition: contentDisposition,
        ResponseContentType: contentType,
      };
      return await sign(object, expirySeconds);
    });
}

class S3BlobStore implements BlobStore {
  readonly kind = 's3';
  readonly link?: NonNullable<BlobStore['link']>;
  readonly #location: S3Location;

  constructor(location: S3Location, link: BlobStore['link']) {
    this.#location = location;
    if (link) this.link = link;
  }

  create(key: string): Promise<BlobWriter> {
    return withStorageErrors(async () => {
      assertStorageKey(key);
      return new S3BlobWriter({ location: this.#location, key });
    });
  }

  resume(key: string, state: string): Promise<BlobWriter> {
    return withStorageErrors(async () => {
      this.#location.object(key);
      const parts = state === '' ? undefined : await this.#storedParts(key, state);
      if (!parts) throw (await this.#isFinished(key)) ? blobExists() : blobMissing();
      const tail = await this.#readTail(key);
      return new S3BlobWriter({
        location: this.#location,
        key,
        uploadId: state,
        parts,
        hasTail: tail !== undefined,
        ...(tail?.offset === parts.sizeBytes && { tail: tail.bytes }),
      });
    });
  }

  stat(key: string): Promise<{ sizeBytes: number }> {
    return withStorageErrors(async () => {
      const { ContentLength } = await this.#location.s3
        .headObject(this.#location.object(key))
        .catch((error: unknown) => this.#missing(error));
      return { sizeBytes: ContentLength ?? 0 };
    });
  }

  read(key: string, range?: ByteRange): Promise<Readable> {
    return withStorageErrors(async () => toStream(await openObject(this.#location, key, range)));
  }

  async send(key: string, range: ByteRange | undefined, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
    const { chunks, cancel } = await withStorageErrors(() => openObject(this.#location, key, range));
    try {
      for await (const chunk of chunks) await write(chunk);
    } finally {
      cancel();
    }
  }

  delete(key: string, { isFinished = false }: BlobDeleteOptions = {}): Promise<void> {
    return withStorageErrors(async () => {
      const { s3, object, tail } = this.#location;
      const unfinished = isFinished ? [] : [s3.deleteObject(tail(key)), abortUploads(this.#location, key)];
      await Promise.all([s3.deleteObject(object(key)), ...unfinished]);
    });
  }

  async *list(): AsyncIterable<StoredBlob> {
    try {
      // Unfinished blobs first: one that is finished during the listing then shows up among the objects and is listed
      // only once. Few uploads are in progress, so they fit into memory.
      const unfinished = await this.#listUnfinished();
      for await (const { Key, Size = 0, LastModified } of listObjects(this.#location, this.#location.prefix)) {
        const key = this.#location.keyOf(Key);
        if (key === undefined) continue;
        unfinished.delete(key);
        yield { key, sizeBytes: Size, modifiedAt: LastModified ?? new Date(0), finished: true };
      }
      yield* unfinished.values();
    } catch (error) {
      throw toStorageError(error);
    }
  }

  check(): Promise<void> {
    return withStorageErrors(async () => {
      // Stored as a tail: if a crash leaves it behind, it is listed and swept like an unfinished blob.
      const probe = this.#location.tail(`check-${randomUUID()}`);
      await withCleanUp(
        async () => {
          await this.#location.s3.putObject({ ...probe, Body: 'x' }, stepTimeout());
          await this.#location.s3.headObject(probe, stepTimeout());
        },
        () => this.#location.s3.deleteObject(probe, stepTimeout()),
      );
    }).catch((error: unknown) => {
      if (!(error instanceof StorageFullError)) throw error;
    });
  }

  async #listUnfinished(): Promise<Map<string, StoredBlob>> {
    const blobs = new Map<string, StoredBlob>();
    const add = (key: string, sizeBytes: number, modifiedAt = new Date(0)) => {
      const known = blobs.get(key);
      blobs.set(key, {
        key,
        sizeBytes: sizeBytes + (known?.sizeBytes ?? 0),
        modifiedAt: known && known.modifiedAt > modifiedAt ? known.modifiedAt : modifiedAt,
        finished: false,
      });
    };
    for await (const { Key, Initiated } of listUploads(this.#location, this.#location.prefix)) {
      const key = this.#location.keyOf(Key);
      if (key !== undefined) add(key, 0, Initiated);
    }
    for await (const { Key, Size, LastModified } of listObjects(this.#location, this.#location.tailPrefix)) {
      const key = this.#location.keyOfTail(Key);
      if (key !== undefined) add(key, Size ?? 0, LastModified);
    }
    return blobs;
  }

  /**
   * Lists the stored parts up to the first gap; undefined when there is no such upload. Parts after a gap are sent
   * again.
   */
  async #storedParts(
    key: string,
    uploadId: string,
  ): Promise<{ stored: CompletedPart[]; sizeBytes: number } | undefined> {
    const stored: CompletedPart[] = [];
    let sizeBytes = 0;
    try {
      for await (const { PartNumber, ETag, Size } of listParts(this.#location, key, uploadId)) {
        if (PartNumber !== stored.length + 1) break;
        stored.push({ PartNumber, ETag });
        sizeBytes += Size;
      }
      return { stored, sizeBytes };
    } catch (error) {
      if (isUploadGone(error)) return undefined;
      throw error;
    }
  }

  async #readTail(key: string): Promise<{ bytes: Uint8Array; offset: number } | undefined> {
    try {
      const { Body, Metadata } = await this.#location.s3.getObject(this.#location.tail(key));
      return {
        bytes: (await Body?.transformToByteArray()) ?? new Uint8Array(),
        offset: Number(Metadata?.[TAIL_OFFSET]),
      };
    } catch (error) {
      if (isObjectGone(error)) return undefined;
      throw error;
    }
  }

  async #isFinished(key: string): Promise<boolean> {
    try {
      await this.#location.s3.headObject(this.#location.object(key));
      return true;
    } catch (error) {
      if (isObjectGone(error)) return false;
      throw error;
    }
  }

  /**
   * Throws `blob_missing` for an object that does not exist, provided that the bucket does: the response to a HEAD
   * does not distinguish the two.
   */
  async #missing(error: unknown): Promise<never> {
    if (!isObjectGone(error)) throw error;
    await this.#location.s3.headBucket({ Bucket: this.#location.bucket });
    throw blobMissing(error);
  }
}

function stepTimeout(): { abortSignal: AbortSignal } {
  return { abortSignal: AbortSignal.timeout(CHECK_STEP_TIMEOUT_MS) };
}
