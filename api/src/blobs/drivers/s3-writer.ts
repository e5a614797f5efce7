// Writes one blob: as a single PutObject if it fits into one part, otherwise as a multipart upload. Neither is visible
// to readers before it is complete.

import type { CompletedPart } from '@aws-sdk/client-s3';
import type { BlobWriter } from '../blob-store.ts';
import {
  blobMissing,
  BlobOffsetMismatchError,
  BlobWriterClosedError,
  serialized,
  StorageFullError,
} from '../errors.ts';
import { completeUpload, putBlob } from './s3-completion.ts';
import { withStorageErrors, isUploadGone, ignoreUploadGone } from './s3-errors.ts';
import { isSilent } from './s3-handler.ts';
import { abortUploads } from './s3-listing.ts';
import { PartBuffer } from './s3-part-buffer.ts';
import { MAX_S3_BLOB_BYTES, partBytesOf } from './s3-parts.ts';
import type { S3Location } from './s3-location.ts';

/**
 * Number of parts buffered in memory, being filled or sent. Backpressure: while all of them are being sent, no chunk
 * is accepted.
 */
const PARTS_IN_FLIGHT = 2;

/** How long the abort of a blob waits for a server that has just been silent. A sweep removes what is left. */
const SILENT_ABORT_MS = 2_000;

/** Metadata key under which a tail stores the number of bytes before it. */
export const TAIL_OFFSET = 'offset';

export interface S3BlobWriterOptions {
  location: S3Location;
  key: string;
  /** ID of the multipart upload to resume. Default: none yet. */
  uploadId?: string;
  /** Parts that a resumed upload has stored. */
  parts?: { stored: CompletedPart[]; sizeBytes: number };
  /** The bytes after those parts, if a tail holds them. */
  tail?: Uint8Array;
  /** The bucket contains a tail, possibly a stale one. */
  hasTail?: boolean;
}

interface FullPart {
  number: number;
  bytes: Buffer;
  sending: Promise<void> | undefined;
}

/** Implements `BlobWriter` on S3; `openS3Store` explains tails. */
export class S3BlobWriter implements BlobWriter {
  readonly key: string;
  readonly #location: S3Location;
  readonly #storedParts: CompletedPart[];
  readonly #cancelling = new AbortController();
  /** The upload ID; empty until the multipart upload exists. Nothing is sent before. */
  #state: string;
  /** An upload may exist whose ID was never received. */
  #hasTriedToCreateUpload = false;
  #offset: number;
  #nextPartNumber: number;
  #currentPart: PartBuffer | undefined;
  /** Full parts that are not stored yet, in order. */
  #pendingParts: FullPart[] = [];
  /** The rest of a chunk that did not fit into the buffered parts. */
  #overflow: Uint8Array | undefined;
  #spareBuffers: Buffer[] = [];
  #hasTail: boolean;
  /** The error of a server that has just been silent. */
  #silence: Error | undefined;
  /** Completion was requested, so the object may exist. */
  #completionRequested = false;
  /** `failed`: only `abort` is allowed; `released`: this writer no longer owns the upload. */
  #phase: 'open' | 'failed' | 'released' = 'open';
  readonly #serialize = serialized(withStorageErrors);

  constructor(options: S3BlobWriterOptions) {
    const { location, key, uploadId = '', parts = { stored: [], sizeBytes: 0 }, tail, hasTail = false } = options;
    this.#location = location;
    this.key = key;
    this.#state = uploadId;
    this.#storedParts = parts.stored;
    this.#offset = parts.sizeBytes;
    this.#nextPartNumber = parts.stored.length + 1;
    this.#hasTail = hasTail;
    if (tail) this.#accept(tail);
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
      if (offset !== this.#offset) throw new BlobOffsetMismatchError(`Continue at offset ${this.#offset}.`);
      if (offset + chunk.length > MAX_S3_BLOB_BYTES)
        throw new StorageFullError(`The storage accepts at most ${MAX_S3_BLOB_BYTES} bytes per upload.`);
      // Everything that can fail comes before the first byte is accepted: a failed append has accepted none.
      if (offset + chunk.length > partBytesOf(1)) await this.#createUpload();
      await this.#waitForRoom();
      this.#accept(chunk);
    });
  }

  finish(): Promise<{ sizeBytes: number }> {
    return this.#serialize(async () => {
      this.#requireOpen();
      this.#phase = 'failed';
      await this.#waitForRoom();
      this.#endPart();
      if (this.#state !== '') await this.#storeParts();
      this.#completionRequested = true;
      await this.#requestCompletion().catch((error: unknown) => {
        if (isSilent(error)) this.#silence = error;
        throw error;
      });
      this.#phase = 'released';
      // The blob is finished even if its tail cannot be removed; `delete` removes the tail later.
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
      // Whoever waits for this has waited long enough: the client sends these bytes again.
      if (this.#silence) throw this.#silence;
      await this.#createUpload();
      await this.#waitForRoom();
      await this.#storeParts();
      if (!this.#currentPart) return;
      const { bytes } = this.#currentPart;
      await this.#location.s3.putObject({
        ...this.#location.tail(this.key),
        Body: bytes,
        Metadata: { [TAIL_OFFSET]: String(this.#offset - bytes.length) },
      });
    });
  }

  abort(): Promise<void> {
    return this.#serialize(async () => {
      if (this.#phase === 'released') return;
      this.#phase = 'failed';
      this.#cancelling.abort();
      await Promise.allSettled(this.#pendingParts.flatMap(({ sending }) => sending ?? []));
      this.#pendingParts = [];
      if (this.#state !== '') await this.#abortUpload().catch(ignoreUploadGone);
      if (this.#completionRequested)
        await this.#location.s3.deleteObject(this.#location.object(this.key), this.#abortLimit());
      if (this.#hasTail) await this.#deleteTail();
      this.#phase = 'released';
    });
  }

  /** Creates the multipart upload unless it exists. */
  async #createUpload(): Promise<void> {
    if (this.#state !== '') return;
    const isRetry = this.#hasTriedToCreateUpload;
    this.#hasTriedToCreateUpload = true;
    const { UploadId, $metadata } = await this.#location.s3.createMultipartUpload(this.#location.object(this.key));
    if (!UploadId) throw new Error('the storage returned no upload ID');
    // An earlier attempt whose response was lost may have created an upload too.
    if (isRetry || $metadata.attempts !== 1) await abortUploads(this.#location, this.key, UploadId);
    this.#state = UploadId;
  }

  /** Accepts a chunk of any length. */
  #accept(chunk: Uint8Array): void {
    this.#offset += chunk.length;
    const rest = this.#fill(chunk);
    if (rest.length > 0) this.#overflow = Uint8Array.from(rest);
  }

  /** Waits until a chunk can be accepted: a part buffer is free and no bytes of earlier chunks are left over. */
  async #waitForRoom(): Promise<void> {
    while (this.#overflow || this.#pendingParts.length >= PARTS_IN_FLIGHT) {
      while (this.#pendingParts.length >= PARTS_IN_FLIGHT) await Promise.race(this.#sendParts());
      const rest = this.#fill(this.#overflow ?? new Uint8Array());
      this.#overflow = rest.length > 0 ? rest : undefined;
    }
  }

  /**
   * Copies bytes into part buffers while there are free ones, and sends full parts. Returns the bytes that did not
   * fit.
   */
  #fill(bytes: Uint8Array): Uint8Array {
    let rest = bytes;
    while (rest.length > 0 && this.#pendingParts.length < PARTS_IN_FLIGHT) {
      this.#currentPart ??= new PartBuffer(partBytesOf(this.#nextPartNumber), this.#spareBuffers.pop());
      rest = this.#currentPart.fill(rest);
      if (this.#currentPart.isFull) this.#endPart();
    }
    // Not awaited: the next call that needs the parts does. Without an upload the first part may be the whole blob.
    if (this.#state !== '') void this.#sendParts();
    return rest;
  }

  #endPart(): void {
    if (!this.#currentPart) return;
    this.#pendingParts.push({ number: this.#nextPartNumber++, bytes: this.#currentPart.bytes, sending: undefined });
    this.#currentPart = undefined;
  }

  /** Sends full parts, at most PARTS_IN_FLIGHT at a time, and retries failed ones. Returns the requests in flight. */
  #sendParts(): Promise<void>[] {
    return this.#pendingParts.slice(0, PARTS_IN_FLIGHT).map((part) => (part.sending ??= this.#sendPart(part)));
  }

  async #storeParts(): Promise<void> {
    while (this.#pendingParts.length > 0) await Promise.all(this.#sendParts());
  }

  #sendPart(part: FullPart): Promise<void> {
    const { number, bytes } = part;
    const sending = this.#location.s3
      .uploadPart(
        { ...this.#location.object(this.key), UploadId: this.#state, PartNumber: number, Body: bytes },
        { abortSignal: this.#cancelling.signal },
      )
      .then(
        ({ ETag }) => {
          this.#silence = undefined;
          this.#storedParts.push({ PartNumber: number, ETag });
          this.#pendingParts.splice(this.#pendingParts.indexOf(part), 1);
          this.#spareBuffers = [...this.#spareBuffers, bytes].slice(-PARTS_IN_FLIGHT);
        },
        (error: unknown) => {
          part.sending = undefined;
          if (isSilent(error)) this.#silence = error;
          throw isUploadGone(error) ? blobMissing(error) : error;
        },
      );
    // Awaited by a later call; until then a rejection must not count as unhandled.
    sending.catch(() => undefined);
    return sending;
  }

  async #requestCompletion(): Promise<void> {
    if (this.#state === '') await putBlob(this.#location, this.key, this.#pendingParts[0]?.bytes);
    else if (this.#offset === 0) await this.#finishEmpty();
    else await this.#complete();
  }

  /** Stores an empty object: an upload without parts cannot be completed. */
  async #finishEmpty(): Promise<void> {
    await this.#abortUpload().catch((error: unknown) => {
      throw isUploadGone(error) ? blobMissing(error) : error;
    });
    await putBlob(this.#location, this.key);
  }

  #complete(): Promise<void> {
    const parts = this.#storedParts.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0));
    return completeUpload(this.#location, this.key, this.#state, { parts, sizeBytes: this.#offset });
  }

  #abortUpload(): Promise<unknown> {
    return this.#location.s3.abortMultipartUpload(
      { ...this.#location.object(this.key), UploadId: this.#state },
      this.#abortLimit(),
    );
  }

  #abortLimit(): { abortSignal?: AbortSignal } {
    return this.#silence ? { abortSignal: AbortSignal.timeout(SILENT_ABORT_MS) } : {};
  }

  #deleteTail(): Promise<unknown> {
    return this.#location.s3.deleteObject(this.#location.tail(this.key));
  }

  #requireOpen(): void {
    if (this.#phase !== 'open') throw new BlobWriterClosedError('Start the upload again, or resume it.');
  }
}
