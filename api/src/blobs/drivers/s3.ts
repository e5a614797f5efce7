// Blobs as objects of an S3 bucket, below one root. s3-writer.ts writes them, s3-reader.ts reads them,
// s3-place.ts knows all names, s3-errors.ts turns the vendor's failures into the store's.

import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { CompletedPart } from '@aws-sdk/client-s3';
import { assertStorageKey } from '../blob-store.ts';
import type { BlobDeleteOptions, BlobStore, BlobWriter, ByteRange, StoredBlob } from '../blob-store.ts';
import { blobMissing, keyTaken, StorageFullError } from '../errors.ts';
import { createS3Client, createUrlSigner, type S3ClientOptions } from './s3-client.ts';
import { asStorage, isObjectGone, isUploadGone, toStorageError } from './s3-errors.ts';
import { abortUploads, listObjects, listParts, listUploads } from './s3-listing.ts';
import { createS3Place, type S3Place } from './s3-place.ts';
import { openObject, streamOf } from './s3-reader.ts';
import { S3BlobWriter, TAIL_OFFSET } from './s3-writer.ts';

export { MAX_S3_BLOB_BYTES } from './s3-parts.ts';

/**
 * For each step of a check: who asks whether S3 is there does not wait through all the time-outs of a try and its
 * repetitions.
 */
const CHECK_STEP_TIMEOUT_MS = 5_000;

export interface S3StoreOptions extends S3ClientOptions {
  bucket: string;
  /** Folder of the blobs and of nothing else, such as `registry/blobs`; the empty text means the whole bucket. */
  root: string;
  /** Gives links out that are good for so long; without it there are none. */
  linkExpirySeconds?: number;
}

/**
 * Opens a store in a bucket that exists. A blob of the key `'3f/3fa9…'` becomes the object `<root>/3f/3fa9…`. If it
 * fits into the first part and is never suspended, `finish()` sends it with one `PutObject`, and nothing is sent
 * before. Otherwise it is a multipart upload of that name until it is finished. Opening makes no request.
 *
 * Parts but the last have 5 MiB at least. So the bytes of a suspended blob that do not fill one wait in an object of
 * their own, the tail, `<root>/~tails/3f/3fa9…`, which tells how many bytes come before it: when a crash comes after
 * more parts were stored, it is stale and known to be. A tail goes when its blob is finished, aborted or deleted.
 *
 * `create()` makes no request and does not notice a key in use: not every server has an atomic create. Two writers of
 * one key would overwrite each other's object. Keys are random and used once, so that does not happen.
 *
 * @throws Error when the root is none /
 */
export async function openS3Store(options: S3StoreOptions): Promise<BlobStore> {
  const s3 = await createS3Client(options);
  const place = createS3Place({ s3, bucket: options.bucket, root: options.root });
  return new S3BlobStore(
    place,
    options.linkExpirySeconds === undefined ? undefined : createLinks(place, options.linkExpirySeconds),
  );
}

function createLinks(place: S3Place, expirySeconds: number): NonNullable<BlobStore['link']> {
  const sign = createUrlSigner(place.s3);
  return (key, { contentDisposition, contentType }) =>
    asStorage(async () => {
      const object = {
        ...place.object(key),
        ResponseContentDisposition: contentDisposition,
        ResponseContentType: contentType,
      };
      return await sign(object, expirySeconds);
    });
}

class S3BlobStore implements BlobStore {
  readonly kind = 's3';
  readonly link?: NonNullable<BlobStore['link']>;
  readonly #place: S3Place;

  constructor(place: S3Place, link: BlobStore['link']) {
    this.#place = place;
    if (link) this.link = link;
  }

  create(key: string): Promise<BlobWriter> {
    return asStorage(async () => {
      assertStorageKey(key);
      return new S3BlobWriter({ place: this.#place, key });
    });
  }

  resume(key: string, state: string): Promise<BlobWriter> {
    return asStorage(async () => {
      this.#place.object(key);
      const parts = state === '' ? undefined : await this.#storedParts(key, state);
      if (!parts) throw (await this.#isFinished(key)) ? keyTaken() : blobMissing();
      const tail = await this.#readTail(key);
      return new S3BlobWriter({
        place: this.#place,
        key,
        uploadId: state,
        parts,
        hasTail: tail !== undefined,
        ...(tail?.offset === parts.sizeBytes && { tail: tail.bytes }),
      });
    });
  }

  stat(key: string): Promise<{ sizeBytes: number }> {
    return asStorage(async () => {
      const { ContentLength } = await this.#place.s3
        .headObject(this.#place.object(key))
        .catch((error: unknown) => this.#missing(error));
      return { sizeBytes: ContentLength ?? 0 };
    });
  }

  read(key: string, range?: ByteRange): Promise<Readable> {
    return asStorage(async () => streamOf(await openObject(this.#place, key, range)));
  }

  async send(key: string, range: ByteRange | undefined, write: (chunk: Uint8Array) => Promise<void>): Promise<void> {
    const { chunks, cancel } = await asStorage(() => openObject(this.#place, key, range));
    try {
      for await (const chunk of chunks) await write(chunk);
    } finally {
      cancel();
    }
  }

  delete(key: string, { isFinished = false }: BlobDeleteOptions = {}): Promise<void> {
    return asStorage(async () => {
      const { s3, object, tail } = this.#place;
      const unfinished = isFinished ? [] : [s3.deleteObject(tail(key)), abortUploads(this.#place, key)];
      await Promise.all([s3.deleteObject(object(key)), ...unfinished]);
    });
  }

  async *list(): AsyncIterable<StoredBlob> {
    try {
      // First, and kept: a blob that is finished meanwhile is met among the objects then, and told once. Few uploads
      // are underway.
      const unfinished = await this.#listUnfinished();
      for await (const { Key, Size = 0, LastModified } of listObjects(this.#place, this.#place.prefix)) {
        const key = this.#place.keyOf(Key);
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
    return asStorage(async () => {
      // Among the tails: what a crash leaves of it is listed as an unfinished blob, and swept as one.
      const probe = this.#place.tail(`check-${randomUUID()}`);
      try {
        await this.#place.s3.putObject({ ...probe, Body: 'x' }, patience());
        await this.#place.s3.headObject(probe, patience());
      } finally {
        await this.#place.s3.deleteObject(probe, patience());
      }
    }).catch((error: unknown) => {
      if (!(error instanceof StorageFullError)) throw error;
    });
  }

  async #listUnfinished(): Promise<Map<string, StoredBlob>> {
    const blobs = new Map<string, StoredBlob>();
    const add = (key: string, sizeBytes: number, modifiedAt = new Date(0)) => {
      const present = blobs.get(key);
      blobs.set(key, {
        key,
        sizeBytes: sizeBytes + (present?.sizeBytes ?? 0),
        modifiedAt: present && present.modifiedAt > modifiedAt ? present.modifiedAt : modifiedAt,
        finished: false,
      });
    };
    for await (const { Key, Initiated } of listUploads(this.#place, this.#place.prefix)) {
      const key = this.#place.keyOf(Key);
      if (key !== undefined) add(key, 0, Initiated);
    }
    for await (const { Key, Size, LastModified } of listObjects(this.#place, this.#place.tailPrefix)) {
      const key = this.#place.keyOfTail(Key);
      if (key !== undefined) add(key, Size ?? 0, LastModified);
    }
    return blobs;
  }

  /**
   * Tells the parts from the first on without a gap, or undefined when there is no such upload. What lies behind a gap
   * is sent again.
   */
  async #storedParts(
    key: string,
    uploadId: string,
  ): Promise<{ stored: CompletedPart[]; sizeBytes: number } | undefined> {
    const stored: CompletedPart[] = [];
    let sizeBytes = 0;
    try {
      for await (const { PartNumber, ETag, Size } of listParts(this.#place, key, uploadId)) {
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
      const { Body, Metadata } = await this.#place.s3.getObject(this.#place.tail(key));
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
      await this.#place.s3.headObject(this.#place.object(key));
      return true;
    } catch (error) {
      if (isObjectGone(error)) return false;
      throw error;
    }
  }

  /**
   * Throws `blob_missing` for an object that is not there, in a bucket that is: the answer to a HEAD does not tell
   * them apart.
   */
  async #missing(error: unknown): Promise<never> {
    if (!isObjectGone(error)) throw error;
    await this.#place.s3.headBucket({ Bucket: this.#place.bucket });
    throw blobMissing(error);
  }
}

function patience(): { abortSignal: AbortSignal } {
  return { abortSignal: AbortSignal.timeout(CHECK_STEP_TIMEOUT_MS) };
}
