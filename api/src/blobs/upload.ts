// One blob on its way in: hashed and stored in a single pass, made durable, then adopted in the transaction
// of whatever refers to it. Reading blobs lives in blobs.ts, writing bytes in drivers/.

import { createHash } from 'node:crypto';
import type { Database, Tx } from '../db/index.ts';
import { createStorageKey, type BlobCreateOptions, type BlobStore, type BlobWriter } from './blob-store.ts';
import { BlobExistsError, BlobMissingError, BlobWriterClosedError } from './errors.ts';
import { blobRepository } from './repository.ts';

/** A blob whose bytes are durable; visible once `adopt` has committed. */
export interface FinishedBlob {
  /** `sha256:<hex>`. */
  digest: string;
  sizeBytes: number;
}

export interface BlobUpload {
  /** Names the upload for `Blobs.resume`; no client may see it. */
  readonly storageKey: string;
  readonly sizeBytes: number;
  /** Whether every byte so far has been hashed here. Not after `Blobs.resume`: `finish` reads back what was missed. */
  readonly isHashed: boolean;
  /** Hashes (where `isHashed`) and stores the next chunk; the memory belongs to the upload until the promise settles. */
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the bytes durable and lets go of the storage; the hash lives on in this object. @param keptUntil no sweep takes the bytes before */
  suspend(keptUntil: Date): Promise<void>;
  /**
   * Continues after `suspend`, behind what others have appended meanwhile. Does nothing when it is open or finished.
   * @throws blob_missing when it is gone, or shorter than it was
   */
  reopen(): Promise<void>;
  /** Makes the bytes durable. @param onMissed gets the bytes that were not hashed here, read back in order */
  finish(onMissed?: (chunk: Uint8Array) => Promise<void>): Promise<FinishedBlob>;
  /** In a transaction: inserts the blob's row, or adopts the row of equal bytes, healing it where it was unsound. */
  adopt(tx: Tx): Promise<void>;
  /** After the commit: drops whichever object is not needed any more. */
  settle(): Promise<void>;
  /** Removes every trace, unless `adopt` has committed after all. */
  abort(): Promise<void>;
}

export interface UploadOptions extends BlobCreateOptions {
  /** Where the upload's row is written; default: in a transaction of its own. */
  transactions?: Pick<Database, 'transaction'>;
}

/** How often a long upload says that it lives. */
const HEARTBEAT_MS = 30_000;

/** Begins an upload; its row exists before its first byte, which is what "in flight" means to a sweep. */
export async function beginUpload(database: Database, store: BlobStore, { transactions, ...createOptions }: UploadOptions = {}): Promise<BlobUpload> {
  const storageKey = createStorageKey();
  const repository = blobRepository(database.db);
  if (transactions) await transactions.transaction((tx) => blobRepository(tx).beginWriter(storageKey));
  else await repository.beginWriter(storageKey);
  try {
    const writer = await store.create(storageKey, createOptions);
    const upload = new StreamedUpload(database, store, storageKey, writer);
    try {
      if (writer.state !== '') await repository.putWriterState(storageKey, writer.state);
      return upload;
    } catch (error) {
      await writer.abort();
      throw error;
    }
  } catch (error) {
    await repository.endWriter(storageKey);
    throw error;
  }
}

/** As Blobs.resume; one whose process died between the last byte and the commit has its whole object, and no writer any more. */
export async function resumeUpload(database: Database, store: BlobStore, storageKey: string): Promise<BlobUpload> {
  const state = await blobRepository(database.db).findWriterState(storageKey);
  if (state === undefined) throw new BlobMissingError('The upload is gone: send it again.');
  try {
    return new StreamedUpload(database, store, storageKey, await store.resume(storageKey, state));
  } catch (error) {
    if (!(error instanceof BlobExistsError)) throw error;
    return new StreamedUpload(database, store, storageKey, undefined, (await store.stat(storageKey)).sizeBytes);
  }
}

/** As Blobs.discard. The row first: an adoption that is committed at the same moment has removed it, and then the bytes stay. */
export async function discardUpload(database: Database, store: BlobStore, storageKey: string): Promise<void> {
  if (await blobRepository(database.db).endWriter(storageKey)) await store.delete(storageKey);
}

class StreamedUpload implements BlobUpload {
  readonly storageKey: string;
  readonly #database: Database;
  readonly #store: BlobStore;
  readonly #hash = createHash('sha256');
  /** Undefined while the upload is suspended, and once its object is whole. */
  #writer: BlobWriter | undefined;
  /** Size without a writer. */
  #keptBytes: number;
  #isWhole: boolean;
  #hashedBytes = 0;
  #heartbeatAt = Date.now();
  #finished: FinishedBlob | undefined;
  #superfluousKey: string | undefined;
  #settled = false;

  constructor(database: Database, store: BlobStore, storageKey: string, writer: BlobWriter | undefined, keptBytes = 0) {
    this.#database = database;
    this.#store = store;
    this.storageKey = storageKey;
    this.#writer = writer;
    this.#keptBytes = keptBytes;
    this.#isWhole = writer === undefined;
  }

  get sizeBytes(): number { return this.#writer?.offset ?? this.#keptBytes; }

  get isHashed(): boolean { return this.#hashedBytes === this.sizeBytes; }

  async write(chunk: Uint8Array): Promise<void> {
    const writer = this.#writer;
    if (!writer) throw new BlobWriterClosedError('Resume the upload before you send more.');
    if (this.isHashed) this.#addToHash(chunk);
    await writer.append(writer.offset, chunk);
    this.#beat();
  }

  async suspend(keptUntil: Date): Promise<void> {
    if (!this.#writer) return;
    await this.#writer.suspend();
    this.#keptBytes = this.#writer.offset;
    this.#writer = undefined;
    await blobRepository(this.#database.db).beatWriter(this.storageKey, keptUntil);
  }

  async reopen(): Promise<void> {
    if (this.#writer || this.#isWhole) return;
    const state = await blobRepository(this.#database.db).findWriterState(this.storageKey);
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
    if (this.#writer) {
      this.#keptBytes = (await this.#writer.finish()).sizeBytes;
      this.#isWhole = true;
      this.#writer = undefined;
    }
    const sizeBytes = this.#keptBytes;
    await this.#readMissed(onMissed);
    const finished = { digest: `sha256:${this.#hash.copy().digest('hex')}`, sizeBytes };
    await this.#markIfLost(finished);
    this.#finished = finished;
    return finished;
  }

  async adopt(tx: Tx): Promise<void> {
    if (!this.#finished) throw new Error('finish() comes before adopt()');
    const { digest, sizeBytes } = this.#finished;
    const blobs = blobRepository(tx);
    const { storageKey } = this;
    this.#superfluousKey = undefined;
    if (!await blobs.insert({ digest, storageKey, sizeBytes })) {
      const present = await blobs.lock(digest);
      if (!present) throw new SweptMeanwhileError();
      if (present.state === 'sound') {
        this.#superfluousKey = storageKey;
      } else {
        await blobs.repoint(digest, storageKey);
        this.#superfluousKey = present.storageKey;
      }
    }
    if (!await blobs.endWriter(storageKey)) throw new BlobWriterClosedError('The upload was given up meanwhile: send it again.');
  }

  async settle(): Promise<void> {
    this.#settled = true;
    if (this.#superfluousKey) await this.#store.delete(this.#superfluousKey);
  }

  async abort(): Promise<void> {
    if (this.#settled) return;
    this.#settled = true;
    const hadObject = !this.#writer;
    try {
      await this.#writer?.abort();
    } catch (error) {
      // Without its writer, a sweep finds the bytes that cannot be removed now.
      await blobRepository(this.#database.db).endWriter(this.storageKey);
      throw error;
    }
    // Whoever removes the writer's row decides: a commit whose answer was lost has removed it, and then its bytes stay.
    const undecided = await blobRepository(this.#database.db).endWriter(this.storageKey);
    if (undecided && hadObject) await this.#store.delete(this.storageKey);
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
    // Not awaited: a database that is away for a moment must not end an upload; the next beat comes, and adopt() checks.
    blobRepository(this.#database.db).beatWriter(this.storageKey, new Date()).catch(() => undefined);
  }

  /** Equal bytes that are known but gone or cut short are marked, so that adopt() puts these in their place. */
  async #markIfLost({ digest, sizeBytes }: FinishedBlob): Promise<void> {
    const blobs = blobRepository(this.#database.db);
    const present = await blobs.find(digest);
    if (present?.state !== 'sound') return;
    try {
      const stat = await this.#store.stat(present.storageKey);
      if (stat.sizeBytes !== sizeBytes) await blobs.mark(present, 'damaged');
    } catch (error) {
      if (!(error instanceof BlobMissingError)) throw error;
      await blobs.mark(present, 'missing');
    }
  }
}

/** Makes the transaction run again: the row of equal bytes was swept between our insert and our lock. */
class SweptMeanwhileError extends Error { readonly code = '40001'; }
