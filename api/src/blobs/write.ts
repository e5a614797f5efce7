// Uploads one blob: hashes and stores it in a single pass, makes it durable, then hands it over for adoption in the
// transaction that refers to it. Reading blobs lives in blobs.ts, writing bytes in drivers/.

import { createHash } from 'node:crypto';
import { digestOf } from '../digests/index.ts';
import { createStorageKey, type BlobStore, type BlobWriter } from './blob-store.ts';
import { BlobExistsError, BlobMissingError, BlobWriterClosedError } from './errors.ts';
import { FinishedBlob } from './finished-blob.ts';
import type { BlobRepository } from './repository.ts';

/** The rows that an upload reads and writes: directly, or through the main thread when it runs in a worker thread. */
export type BlobWriteRows = Pick<
  BlobRepository,
  'beginWriter' | 'renewWriter' | 'putWriterState' | 'findWriterState' | 'endWriter' | 'find' | 'mark'
>;

export interface BlobWrite {
  /** Identifies the upload for `Blobs.resume`; never shown to clients. */
  readonly storageKey: string;
  readonly sizeBytes: number;
  /** Whether every byte so far was hashed by this object. False after `Blobs.resume`: `finish` reads back the rest. */
  readonly isHashed: boolean;
  /** Hashes (if `isHashed`) and stores the next chunk. The upload owns the memory until the promise settles. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Makes the bytes durable and releases the storage; this object keeps the hash state.
   * @param keptUntil no sweep removes the bytes before this time
   */
  suspend(keptUntil: Date): Promise<void>;
  /**
   * Continues after `suspend`, at the current end: others may have appended meanwhile. Does nothing when the upload is
   * open or finished.
   * @throws blob_missing when the upload is gone, or shorter than it was
   */
  reopen(): Promise<void>;
  /**
   * Makes the bytes durable; idempotent.
   * @param onReadBack receives the bytes that were not hashed here, read back in order
   */
  finish(onReadBack?: (chunk: Uint8Array) => Promise<void>): Promise<FinishedBlob>;
  /** Removes every trace, unless the finished blob was adopted. */
  abort(): Promise<void>;
}

const HEARTBEAT_MS = 30_000;

/** Starts an upload. Its row exists before its first byte, so that a sweep recognises it as in progress. */
export async function beginBlobWrite(rows: BlobWriteRows, store: BlobStore): Promise<BlobWrite> {
  const storageKey = createStorageKey();
  await rows.beginWriter(storageKey);
  try {
    return new StreamedBlobWrite({ rows, store, storageKey }, await store.create(storageKey));
  } catch (error) {
    // A sweep ends it, too.
    await rows.endWriter(storageKey).catch(() => undefined);
    throw error;
  }
}

/**
 * Implements `Blobs.resume`. If the process died between the last byte and the commit, the object is already complete
 * and no writer is opened.
 */
export async function resumeBlobWrite(rows: BlobWriteRows, store: BlobStore, storageKey: string): Promise<BlobWrite> {
  const state = await rows.findWriterState(storageKey);
  if (state === undefined) throw new BlobMissingError('The upload no longer exists. Send it again.');
  try {
    return new StreamedBlobWrite({ rows, store, storageKey }, await store.resume(storageKey, state));
  } catch (error) {
    if (!(error instanceof BlobExistsError)) throw error;
    return new StreamedBlobWrite({ rows, store, storageKey }, undefined, (await store.stat(storageKey)).sizeBytes);
  }
}

/**
 * Implements `Blobs.discard`. Deletes the row first: if a concurrent adoption has committed, the row is already gone
 * and the bytes stay.
 */
export async function discardBlobWrite(rows: BlobWriteRows, store: BlobStore, storageKey: string): Promise<void> {
  if (await rows.endWriter(storageKey)) await store.delete(storageKey);
}

class StreamedBlobWrite implements BlobWrite {
  readonly storageKey: string;
  readonly #rows: BlobWriteRows;
  readonly #store: BlobStore;
  readonly #hash = createHash('sha256');
  /** Undefined while the upload is suspended, and once its object is complete. */
  #writer: BlobWriter | undefined;
  /** The writer's state as stored in its row. */
  #storedState: string;
  /** The size while there is no writer. */
  #suspendedBytes: number;
  #isComplete: boolean;
  #hashedBytes = 0;
  #heartbeatAt = Date.now();
  #finished: FinishedBlob | undefined;
  #isAborted = false;

  constructor(
    { rows, store, storageKey }: { rows: BlobWriteRows; store: BlobStore; storageKey: string },
    writer: BlobWriter | undefined,
    suspendedBytes = 0,
  ) {
    this.#rows = rows;
    this.#store = store;
    this.storageKey = storageKey;
    this.#writer = writer;
    this.#storedState = writer?.state ?? '';
    this.#suspendedBytes = suspendedBytes;
    this.#isComplete = writer === undefined;
  }

  get sizeBytes(): number {
    return this.#writer?.offset ?? this.#suspendedBytes;
  }

  get isHashed(): boolean {
    return this.#hashedBytes === this.sizeBytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const writer = this.#writer;
    if (!writer) throw new BlobWriterClosedError('Resume the upload before sending more bytes.');
    if (this.isHashed) this.#addToHash(chunk);
    await writer.append(writer.offset, chunk);
    await this.#storeState(writer);
    this.#sendHeartbeat();
  }

  async suspend(keptUntil: Date): Promise<void> {
    const writer = this.#writer;
    if (!writer) return;
    await writer.suspend();
    this.#suspendedBytes = writer.offset;
    this.#writer = undefined;
    await this.#storeState(writer);
    await this.#rows.renewWriter(this.storageKey, keptUntil);
  }

  async reopen(): Promise<void> {
    if (this.#writer || this.#isComplete) return;
    const state = await this.#rows.findWriterState(this.storageKey);
    if (state === undefined) throw new BlobMissingError('The upload no longer exists. Send it again.');
    const writer = await this.#store.resume(this.storageKey, state);
    if (writer.offset < this.#suspendedBytes) {
      await writer.suspend();
      throw new BlobMissingError('Some bytes of the upload were lost. Query its offset and continue from there.');
    }
    this.#writer = writer;
  }

  async finish(onReadBack?: (chunk: Uint8Array) => Promise<void>): Promise<FinishedBlob> {
    if (this.#finished) return this.#finished;
    await this.reopen();
    // If everything was hashed here, the digest is known before the bytes are durable.
    const early = this.isHashed ? this.#identify() : undefined;
    await Promise.all([this.#complete(), early && this.#markIfLost(early)]);
    await this.#readBack(onReadBack);
    const identity = early ?? this.#identify();
    if (!early) await this.#markIfLost(identity);
    return (this.#finished = new FinishedBlob(this.#rows, this.#store, { storageKey: this.storageKey, ...identity }));
  }

  async abort(): Promise<void> {
    if (this.#finished) return this.#finished.abort();
    if (this.#isAborted) return;
    this.#isAborted = true;
    const hadObject = !this.#writer;
    try {
      await this.#writer?.abort();
    } catch (error) {
      // Once the row is gone, a sweep removes the bytes that could not be deleted now.
      await this.#rows.endWriter(this.storageKey).catch(() => undefined);
      throw error;
    }
    const isOwner = await this.#rows.endWriter(this.storageKey);
    if (isOwner && hadObject) await this.#store.delete(this.storageKey);
  }

  async #complete(): Promise<void> {
    if (!this.#writer) return;
    this.#suspendedBytes = (await this.#writer.finish()).sizeBytes;
    this.#isComplete = true;
    this.#writer = undefined;
  }

  /** Runs before more bytes are accepted: a crash loses bytes stored under a state that the row does not have. */
  async #storeState({ state }: BlobWriter): Promise<void> {
    if (state === this.#storedState) return;
    await this.#rows.putWriterState(this.storageKey, state);
    this.#storedState = state;
  }

  #identify(): Pick<FinishedBlob, 'digest' | 'sizeBytes'> {
    return { digest: digestOf(this.#hash.copy()), sizeBytes: this.sizeBytes };
  }

  #addToHash(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#hashedBytes += chunk.length;
  }

  /**
   * Reads back the bytes received before this object existed, or by another process: no library can save the state of
   * a hash.
   */
  async #readBack(onReadBack: ((chunk: Uint8Array) => Promise<void>) | undefined): Promise<void> {
    if (this.isHashed) return;
    await this.#store.send(
      this.storageKey,
      { start: this.#hashedBytes, end: this.#suspendedBytes - 1 },
      async (chunk) => {
        this.#addToHash(chunk);
        await onReadBack?.(chunk);
        this.#sendHeartbeat();
      },
    );
    if (!this.isHashed) throw new BlobMissingError('Some bytes of the upload were lost. Send it again.');
  }

  #sendHeartbeat(): void {
    if (Date.now() - this.#heartbeatAt < HEARTBEAT_MS) return;
    this.#heartbeatAt = Date.now();
    // Not awaited: a short database outage must not end an upload. The next heartbeat follows, and adopt() checks the
    // row.
    this.#rows.renewWriter(this.storageKey, new Date()).catch(() => undefined);
  }

  /** Marks a known blob of equal bytes as lost if its object is missing or truncated, so that adopt() replaces it. */
  async #markIfLost({ digest, sizeBytes }: Pick<FinishedBlob, 'digest' | 'sizeBytes'>): Promise<void> {
    const existing = await this.#rows.find(digest);
    if (existing?.state !== 'sound') return;
    try {
      const stat = await this.#store.stat(existing.storageKey);
      if (stat.sizeBytes !== sizeBytes) await this.#rows.mark(existing, 'damaged');
    } catch (error) {
      if (!(error instanceof BlobMissingError)) throw error;
      await this.#rows.mark(existing, 'missing');
    }
  }
}
