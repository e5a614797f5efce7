// One blob on its way in: hashed and stored in a single pass, made durable, then adopted in the transaction
// of whatever refers to it. Reading blobs lives in blobs.ts, writing bytes in drivers/.

import { createHash } from 'node:crypto';
import { digestOf } from '../digests/index.ts';
import { createStorageKey, type BlobStore, type BlobWriter } from './blob-store.ts';
import { BlobExistsError, BlobMissingError, BlobWriterClosedError } from './errors.ts';
import { FinishedBlob } from './finished-blob.ts';
import type { BlobRepository } from './repository.ts';

/** What uploads note while they last, wherever the database is: here, or with the thread that asked for them. */
export type BlobWriteRows = Pick<
  BlobRepository,
  'beginWriter' | 'beatWriter' | 'putWriterState' | 'findWriterState' | 'endWriter' | 'find' | 'mark'
>;

export interface BlobWrite {
  /** Names the upload for `Blobs.resume`; no client may see it. */
  readonly storageKey: string;
  readonly sizeBytes: number;
  /** Whether every byte so far has been hashed here. Not after `Blobs.resume`: `finish` reads back what was missed. */
  readonly isHashed: boolean;
  /**
   * Hashes (where `isHashed`) and stores the next chunk; the memory belongs to the upload until the promise settles.
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Makes the bytes durable and lets go of the storage; the hash lives on in this object.
   * @param keptUntil no sweep takes the bytes before
   */
  suspend(keptUntil: Date): Promise<void>;
  /**
   * Continues after `suspend`, behind what others have appended meanwhile. Does nothing when it is open or finished.
   * @throws blob_missing when it is gone, or shorter than it was
   */
  reopen(): Promise<void>;
  /**
   * Makes the bytes durable. May be asked again.
   * @param onMissed gets the bytes that were not hashed here, read back in order
   */
  finish(onMissed?: (chunk: Uint8Array) => Promise<void>): Promise<FinishedBlob>;
  /** Removes every trace, unless the finished blob was adopted. */
  abort(): Promise<void>;
}

/** How often a long upload says that it lives. */
const HEARTBEAT_MS = 30_000;

/** Begins an upload; its row exists before its first byte, which is what "in flight" means to a sweep. */
export async function beginBlobWrite(rows: BlobWriteRows, store: BlobStore): Promise<BlobWrite> {
  const storageKey = createStorageKey();
  await rows.beginWriter(storageKey);
  try {
    return new StreamedBlobWrite({ rows, store, storageKey }, await store.create(storageKey));
  } catch (error) {
    await rows.endWriter(storageKey);
    throw error;
  }
}

/**
 * As Blobs.resume; one whose process died between the last byte and the commit has its whole object, and no writer any
 * more.
 */
export async function resumeBlobWrite(rows: BlobWriteRows, store: BlobStore, storageKey: string): Promise<BlobWrite> {
  const state = await rows.findWriterState(storageKey);
  if (state === undefined) throw new BlobMissingError('The upload is gone: send it again.');
  try {
    return new StreamedBlobWrite({ rows, store, storageKey }, await store.resume(storageKey, state));
  } catch (error) {
    if (!(error instanceof BlobExistsError)) throw error;
    return new StreamedBlobWrite({ rows, store, storageKey }, undefined, (await store.stat(storageKey)).sizeBytes);
  }
}

/**
 * As Blobs.discard. The row first: an adoption that is committed at the same moment has removed it, and then the bytes
 * stay.
 */
export async function discardBlobWrite(rows: BlobWriteRows, store: BlobStore, storageKey: string): Promise<void> {
  if (await rows.endWriter(storageKey)) await store.delete(storageKey);
}

class StreamedBlobWrite implements BlobWrite {
  readonly storageKey: string;
  readonly #rows: BlobWriteRows;
  readonly #store: BlobStore;
  readonly #hash = createHash('sha256');
  /** Undefined while the upload is suspended, and once its object is whole. */
  #writer: BlobWriter | undefined;
  /** The writer's state that the row has. */
  #storedState: string;
  /** Size without a writer. */
  #keptBytes: number;
  #isWhole: boolean;
  #hashedBytes = 0;
  #heartbeatAt = Date.now();
  #finished: FinishedBlob | undefined;
  #isAborted = false;

  constructor(
    { rows, store, storageKey }: { rows: BlobWriteRows; store: BlobStore; storageKey: string },
    writer: BlobWriter | undefined,
    keptBytes = 0,
  ) {
    this.#rows = rows;
    this.#store = store;
    this.storageKey = storageKey;
    this.#writer = writer;
    this.#storedState = writer?.state ?? '';
    this.#keptBytes = keptBytes;
    this.#isWhole = writer === undefined;
  }

  get sizeBytes(): number {
    return this.#writer?.offset ?? this.#keptBytes;
  }

  get isHashed(): boolean {
    return this.#hashedBytes === this.sizeBytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const writer = this.#writer;
    if (!writer) throw new BlobWriterClosedError('Resume the upload before you send more.');
    if (this.isHashed) this.#addToHash(chunk);
    await writer.append(writer.offset, chunk);
    await this.#storeState(writer);
    this.#beat();
  }

  async suspend(keptUntil: Date): Promise<void> {
    const writer = this.#writer;
    if (!writer) return;
    await writer.suspend();
    this.#keptBytes = writer.offset;
    this.#writer = undefined;
    await this.#storeState(writer);
    await this.#rows.beatWriter(this.storageKey, keptUntil);
  }

  async reopen(): Promise<void> {
    if (this.#writer || this.#isWhole) return;
    const state = await this.#rows.findWriterState(this.storageKey);
    if (state === undefined) throw new BlobMissingError('The upload is gone: send it again.');
    const writer = await this.#store.resume(this.storageKey, state);
    if (writer.offset < this.#keptBytes) {
      await writer.suspend();
      throw new BlobMissingError('Some bytes of the upload are gone: ask where it stands, and continue there.');
    }
    this.#writer = writer;
  }

  async finish(onMissed?: (chunk: Uint8Array) => Promise<void>): Promise<FinishedBlob> {
    if (this.#finished) return this.#finished;
    await this.reopen();
    // Where nothing was missed, the digest is known before the bytes are durable.
    const early = this.isHashed ? this.#identify() : undefined;
    await Promise.all([this.#complete(), early && this.#markIfLost(early)]);
    await this.#readMissed(onMissed);
    const finished = early ?? this.#identify();
    if (!early) await this.#markIfLost(finished);
    return (this.#finished = new FinishedBlob(this.#rows, this.#store, { storageKey: this.storageKey, ...finished }));
  }

  async abort(): Promise<void> {
    if (this.#finished) return this.#finished.abort();
    if (this.#isAborted) return;
    this.#isAborted = true;
    const hadObject = !this.#writer;
    try {
      await this.#writer?.abort();
    } catch (error) {
      // Without its writer, a sweep finds the bytes that cannot be removed now.
      await this.#rows.endWriter(this.storageKey);
      throw error;
    }
    const isOurs = await this.#rows.endWriter(this.storageKey);
    if (isOurs && hadObject) await this.#store.delete(this.storageKey);
  }

  async #complete(): Promise<void> {
    if (!this.#writer) return;
    this.#keptBytes = (await this.#writer.finish()).sizeBytes;
    this.#isWhole = true;
    this.#writer = undefined;
  }

  /** Runs before more bytes are taken: a crash loses what is stored under a state that the row does not have. */
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

  /** Reads back what came before this object was made, or to another process: no library saves the state of a hash. */
  async #readMissed(onMissed: ((chunk: Uint8Array) => Promise<void>) | undefined): Promise<void> {
    if (this.isHashed) return;
    await this.#store.send(this.storageKey, { start: this.#hashedBytes, end: this.#keptBytes - 1 }, async (chunk) => {
      this.#addToHash(chunk);
      await onMissed?.(chunk);
      this.#beat();
    });
    if (!this.isHashed) throw new BlobMissingError('Some bytes of the upload are gone: send it again.');
  }

  #beat(): void {
    if (Date.now() - this.#heartbeatAt < HEARTBEAT_MS) return;
    this.#heartbeatAt = Date.now();
    // Not awaited: a database that is away for a moment must not end an upload; the next beat comes, and adopt()
    // checks.
    this.#rows.beatWriter(this.storageKey, new Date()).catch(() => undefined);
  }

  /** Equal bytes that are known but gone or cut short are marked, so that adopt() puts these in their place. */
  async #markIfLost({ digest, sizeBytes }: Pick<FinishedBlob, 'digest' | 'sizeBytes'>): Promise<void> {
    const present = await this.#rows.find(digest);
    if (present?.state !== 'sound') return;
    try {
      const stat = await this.#store.stat(present.storageKey);
      if (stat.sizeBytes !== sizeBytes) await this.#rows.mark(present, 'damaged');
    } catch (error) {
      if (!(error instanceof BlobMissingError)) throw error;
      await this.#rows.mark(present, 'missing');
    }
  }
}
