// One blob on its way in: hashed and stored in a single pass, made durable, then adopted in the transaction
// of whatever refers to it. Reading blobs lives in blobs.ts, writing bytes in drivers/.

import { createHash } from 'node:crypto';
import type { Database, Tx } from '../db/index.ts';
import { createStorageKey, type BlobStore, type BlobWriter } from './blob-store.ts';
import { BlobMissingError, BlobWriterClosedError } from './errors.ts';
import { blobRepository } from './repository.ts';

/** A blob whose bytes are durable; visible once `adopt` has committed. */
export interface FinishedBlob {
  /** `sha256:<hex>`. */
  digest: string;
  sizeBytes: number;
}

export interface BlobUpload {
  readonly sizeBytes: number;
  /** Hashes and stores the next chunk; the memory belongs to the upload until the promise settles. */
  write(chunk: Uint8Array): Promise<void>;
  /** Makes the bytes durable. */
  finish(): Promise<FinishedBlob>;
  /** In a transaction: inserts the blob's row, or adopts the row of equal bytes, healing it where it was unsound. */
  adopt(tx: Tx): Promise<void>;
  /** After the commit: drops whichever object is not needed any more. */
  settle(): Promise<void>;
  /** Removes every trace, unless `adopt` has committed after all. */
  abort(): Promise<void>;
}

/** How often a long upload says that it lives. */
const HEARTBEAT_MS = 30_000;

/** Begins an upload; its row exists before its first byte, which is what "in flight" means to a sweep. */
export async function beginUpload(database: Database, store: BlobStore): Promise<BlobUpload> {
  const storageKey = createStorageKey();
  await blobRepository(database.db).beginWriter(storageKey);
  try {
    return new StreamedUpload(database, store, await store.create(storageKey));
  } catch (error) {
    await blobRepository(database.db).endWriter(storageKey);
    throw error;
  }
}

class StreamedUpload implements BlobUpload {
  readonly #database: Database;
  readonly #store: BlobStore;
  readonly #writer: BlobWriter;
  readonly #hash = createHash('sha256');
  #heartbeatAt = Date.now();
  #finished: FinishedBlob | undefined;
  #superfluousKey: string | undefined;
  #settled = false;

  constructor(database: Database, store: BlobStore, writer: BlobWriter) {
    this.#database = database;
    this.#store = store;
    this.#writer = writer;
  }

  get sizeBytes(): number { return this.#writer.offset; }

  async write(chunk: Uint8Array): Promise<void> {
    this.#hash.update(chunk);
    await this.#writer.append(this.#writer.offset, chunk);
    if (Date.now() - this.#heartbeatAt < HEARTBEAT_MS) return;
    this.#heartbeatAt = Date.now();
    // Not awaited: a database that is away for a moment must not end an upload; the next beat comes, and adopt() checks.
    blobRepository(this.#database.db).beatWriter(this.#writer.key).catch(() => undefined);
  }

  async finish(): Promise<FinishedBlob> {
    const { sizeBytes } = await this.#writer.finish();
    this.#finished = { digest: `sha256:${this.#hash.digest('hex')}`, sizeBytes };
    await this.#markIfLost(this.#finished);
    return this.#finished;
  }

  async adopt(tx: Tx): Promise<void> {
    if (!this.#finished) throw new Error('finish() comes before adopt()');
    const { digest, sizeBytes } = this.#finished;
    const blobs = blobRepository(tx);
    const storageKey = this.#writer.key;
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
    await this.#writer.abort();
    // Whoever removes the writer's row decides: a commit whose answer was lost has removed it, and then its bytes stay.
    const undecided = await blobRepository(this.#database.db).endWriter(this.#writer.key);
    if (undecided && this.#finished) await this.#store.delete(this.#writer.key);
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
