// Writes one blob: as a single PutObject if it fits into one part, otherwise as a multipart upload. Readers see
// neither before it is complete.

import type { CompletedPart } from '@aws-sdk/client-s3';
import type { BlobWriter } from '../blob-store.ts';
import {
  blobMissing,
  BlobOffsetMismatchError,
  BlobWriterClosedError,
  serialized,
  StorageFullError,
} from '../errors.ts';
import { asStorage, isObjectGone, isUploadGone, unlessUploadGone } from './s3-errors.ts';
import { abortUploads } from './s3-listing.ts';
import { MAX_S3_BLOB_BYTES, partBytesOf } from './s3-parts.ts';
import type { S3Place } from './s3-place.ts';

/**
 * Memory is held for so many parts, on their way or being filled, and while all of them are on their way no chunk is
 * taken.
 */
const PARTS_IN_FLIGHT = 2;

/** Under which a tail keeps the count of bytes before it. */
export const TAIL_OFFSET = 'offset';

export interface S3BlobWriterOptions {
  place: S3Place;
  key: string;
  /** Of the multipart upload to resume. Default: there is none yet. */
  uploadId?: string;
  /** What a resumed upload has stored. */
  parts?: { stored: CompletedPart[]; sizeBytes: number };
  /** The bytes behind those parts, where a tail holds them. */
  tail?: Uint8Array;
  /** A tail, be it a stale one, lies in the bucket. */
  hasTail?: boolean;
}

interface FullPart {
  number: number;
  bytes: Buffer;
  sending: Promise<void> | undefined;
}

/** Writes a blob as `BlobWriter` says; `openS3Store` tells about tails. */
export class S3BlobWriter implements BlobWriter {
  readonly key: string;
  readonly #place: S3Place;
  readonly #stored: CompletedPart[];
  readonly #cancelling = new AbortController();
  /** The upload ID; empty until there is a multipart upload, before which nothing is sent. */
  #state: string;
  /** An upload may exist whose ID was never received. */
  #hasTriedToBegin = false;
  #offset: number;
  #nextPartNumber: number;
  #filling: Buffer | undefined;
  #filledBytes = 0;
  /** Full parts that are not stored yet, in their order. */
  #unstored: FullPart[] = [];
  /** The rest of the chunk that filled the last part there was memory for. */
  #overflow: Uint8Array | undefined;
  #spareBuffers: Buffer[] = [];
  #hasTail: boolean;
  /** Its completion was asked for, so that an object may be there. */
  #mayBeFinished = false;
  /** `failed`: only `abort` is left; `released`: the upload is no longer this writer's. */
  #phase: 'open' | 'failed' | 'released' = 'open';
  readonly #serialize = serialized(asStorage);

  constructor(options: S3BlobWriterOptions) {
    const { place, key, uploadId = '', parts = { stored: [], sizeBytes: 0 }, tail, hasTail = false } = options;
    this.#place = place;
    this.key = key;
    this.#state = uploadId;
    this.#stored = parts.stored;
    this.#offset = parts.sizeBytes;
    this.#nextPartNumber = parts.stored.length + 1;
    this.#hasTail = hasTail;
    if (tail) this.#take(tail);
  }

  get state(): string {
    return this.#state;
  }

  get offset(): number {
    return this.#offset;
  }

  append(offset: number, chunk: Uint8Array): Promise<void> {
    return this.#serialize(async () => {
      this.#requireOpen();
      if (offset !== this.#offset) throw new BlobOffsetMismatchError(`Continue at byte ${this.#offset}.`);
      if (offset + chunk.length > MAX_S3_BLOB_BYTES)
        throw new StorageFullError(`The storage takes at most ${MAX_S3_BLOB_BYTES} bytes in one piece.`);
      // All waiting comes before the first byte is taken: what fails has taken none.
      if (offset + chunk.length > partBytesOf(1)) await this.#begin();
      await this.#makeRoom();
      this.#take(chunk);
    });
  }

  finish(): Promise<{ sizeBytes: number }> {
    return this.#serialize(async () => {
      this.#requireOpen();
      this.#phase = 'failed';
      await this.#makeRoom();
      if (this.#filledBytes > 0) this.#endPart();
      if (this.#state !== '') await this.#storeParts();
      this.#mayBeFinished = true;
      if (this.#state === '') await this.#putObject(this.#unstored[0]?.bytes);
      else if (this.#offset === 0) await this.#finishEmpty();
      else await this.#complete();
      this.#phase = 'released';
      // Bytes that nobody asks for: that they could not be removed must not undo what is finished. `delete` removes
      // them too.
      if (this.#hasTail) await this.#deleteTail().catch(() => undefined);
      return { sizeBytes: this.#offset };
    });
  }

  suspend(): Promise<void> {
    return this.#serialize(async () => {
      if (this.#phase === 'released') return;
      const isOpen = this.#phase === 'open';
      this.#phase = 'released';
      if (!isOpen) return;
      await this.#begin();
      await this.#makeRoom();
      await this.#storeParts();
      if (!this.#filling || this.#filledBytes === 0) return;
      const before = this.#offset - this.#filledBytes;
      await this.#place.s3.putObject({
        ...this.#place.tail(this.key),
        Body: this.#filling.subarray(0, this.#filledBytes),
        Metadata: { [TAIL_OFFSET]: String(before) },
      });
    });
  }

  abort(): Promise<void> {
    return this.#serialize(async () => {
      if (this.#phase === 'released') return;
      this.#phase = 'failed';
      this.#cancelling.abort();
      await Promise.allSettled(this.#unstored.flatMap(({ sending }) => sending ?? []));
      this.#unstored = [];
      if (this.#state !== '') await this.#abortUpload().catch(unlessUploadGone);
      if (this.#mayBeFinished) await this.#place.s3.deleteObject(this.#place.object(this.key));
      if (this.#hasTail) await this.#deleteTail();
      this.#phase = 'released';
    });
  }

  /** Starts the multipart upload, if there is none yet. */
  async #begin(): Promise<void> {
    if (this.#state !== '') return;
    const isRetry = this.#hasTriedToBegin;
    this.#hasTriedToBegin = true;
    const { UploadId, $metadata } = await this.#place.s3.createMultipartUpload(this.#place.object(this.key));
    if (!UploadId) throw new Error('the storage gave no upload id');
    // An attempt whose answer was lost may have started an upload too.
    if (isRetry || $metadata.attempts !== 1) await abortUploads(this.#place, this.key, UploadId);
    this.#state = UploadId;
  }

  /** Takes all of a chunk, however long it is. */
  #take(chunk: Uint8Array): void {
    this.#offset += chunk.length;
    const rest = this.#fill(chunk);
    if (rest.length > 0) this.#overflow = Uint8Array.from(rest);
  }

  /** Waits until bytes can be taken: fewer parts than there is memory for, and nothing left of earlier chunks. */
  async #makeRoom(): Promise<void> {
    while (this.#overflow || this.#unstored.length >= PARTS_IN_FLIGHT) {
      while (this.#unstored.length >= PARTS_IN_FLIGHT) await Promise.race(this.#sendParts());
      const rest = this.#fill(this.#overflow ?? new Uint8Array());
      this.#overflow = rest.length > 0 ? rest : undefined;
    }
  }

  /** Copies bytes into parts while there is memory for them, and sends those that are full. Gives what did not fit. */
  #fill(bytes: Uint8Array): Uint8Array {
    let rest = bytes;
    while (rest.length > 0 && this.#unstored.length < PARTS_IN_FLIGHT) {
      this.#filling ??= this.#bufferFor(partBytesOf(this.#nextPartNumber));
      const fitting = rest.subarray(0, this.#filling.length - this.#filledBytes);
      this.#filling.set(fitting, this.#filledBytes);
      this.#filledBytes += fitting.length;
      rest = rest.subarray(fitting.length);
      if (this.#filledBytes === this.#filling.length) this.#endPart();
    }
    // Not awaited here: the next call that needs them does. Without an upload the first part may be the whole blob.
    if (this.#state !== '') void this.#sendParts();
    return rest;
  }

  #bufferFor(sizeBytes: number): Buffer {
    const spare = this.#spareBuffers.pop();
    return spare?.length === sizeBytes ? spare : Buffer.allocUnsafeSlow(sizeBytes);
  }

  #endPart(): void {
    if (!this.#filling) return;
    this.#unstored.push({
      number: this.#nextPartNumber++,
      bytes: this.#filling.subarray(0, this.#filledBytes),
      sending: undefined,
    });
    this.#filling = undefined;
    this.#filledBytes = 0;
  }

  /** Sends what is full, as many at a time as may be; what failed before is tried again. Gives what is on its way. */
  #sendParts(): Promise<void>[] {
    return this.#unstored.slice(0, PARTS_IN_FLIGHT).map((part) => (part.sending ??= this.#sendPart(part)));
  }

  async #storeParts(): Promise<void> {
    while (this.#unstored.length > 0) await Promise.all(this.#sendParts());
  }

  #sendPart(part: FullPart): Promise<void> {
    const { number, bytes } = part;
    const sending = this.#place.s3
      .uploadPart(
        { ...this.#place.object(this.key), UploadId: this.#state, PartNumber: number, Body: bytes },
        { abortSignal: this.#cancelling.signal },
      )
      .then(
        ({ ETag }) => {
          this.#stored.push({ PartNumber: number, ETag });
          this.#unstored.splice(this.#unstored.indexOf(part), 1);
          this.#spareBuffers = [...this.#spareBuffers, bytes].slice(-PARTS_IN_FLIGHT);
        },
        (error: unknown) => {
          part.sending = undefined;
          throw isUploadGone(error) ? blobMissing(error) : error;
        },
      );
    // Awaited by a later call: until then a failure must not count as unhandled.
    sending.catch(() => undefined);
    return sending;
  }

  /** An upload without a part cannot be completed. */
  async #finishEmpty(): Promise<void> {
    await this.#abortUpload().catch((error: unknown) => {
      throw isUploadGone(error) ? blobMissing(error) : error;
    });
    await this.#putObject();
  }

  /** Idempotent: a retry sends the same bytes, also after a lost answer. */
  async #putObject(bytes: Uint8Array = new Uint8Array()): Promise<void> {
    await this.#place.s3.putObject({ ...this.#place.object(this.key), Body: bytes, ContentLength: bytes.length });
  }

  async #complete(): Promise<void> {
    const Parts = this.#stored.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    try {
      const upload = { ...this.#place.object(this.key), UploadId: this.#state };
      await this.#place.s3.completeMultipartUpload({ ...upload, MultipartUpload: { Parts } });
    } catch (error) {
      if (!isUploadGone(error)) throw error;
      // Either it was deleted, or an answer was lost and the SDK has asked for the second time.
      const { ContentLength } = await this.#place.s3
        .headObject(this.#place.object(this.key))
        .catch((cause: unknown) => {
          throw isObjectGone(cause) ? blobMissing(error) : cause;
        });
      if (ContentLength !== this.#offset) throw blobMissing(error);
    }
  }

  #abortUpload(): Promise<unknown> {
    return this.#place.s3.abortMultipartUpload({ ...this.#place.object(this.key), UploadId: this.#state });
  }

  #deleteTail(): Promise<unknown> {
    return this.#place.s3.deleteObject(this.#place.tail(this.key));
  }

  #requireOpen(): void {
    if (this.#phase !== 'open') throw new BlobWriterClosedError('Start the upload again, or resume it.');
  }
}
