// Bytes that are durable and belong to nobody yet: the last steps of an upload.

import type { Tx } from '../db/index.ts';
import type { Digest } from '../digests/index.ts';
import type { BlobStore } from './blob-store.ts';
import { BlobWriterClosedError } from './errors.ts';
import { blobRepository, type BlobRepository } from './repository.ts';

/** A blob whose bytes are durable; visible once `adopt` has committed. */
export class FinishedBlob {
  readonly storageKey: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Object that nobody needs once the adoption is committed. */
  #superfluousKey: string | undefined;
  readonly #rows: Pick<BlobRepository, 'endWriter'>;
  readonly #store: Pick<BlobStore, 'delete'>;
  #isSettled = false;

  constructor(
    rows: Pick<BlobRepository, 'endWriter'>,
    store: Pick<BlobStore, 'delete'>,
    blob: Pick<FinishedBlob, 'storageKey' | 'digest' | 'sizeBytes'>,
  ) {
    this.#rows = rows;
    this.#store = store;
    this.storageKey = blob.storageKey;
    this.digest = blob.digest;
    this.sizeBytes = blob.sizeBytes;
  }

  /** In a transaction: inserts the blob's row, or adopts the row of equal bytes, healing it where it was unsound. */
  async adopt(tx: Tx): Promise<void> {
    const blobs = blobRepository(tx);
    if (await blobs.insert(this)) this.#superfluousKey = undefined;
    else await this.#adoptPresent(blobs);
    if (!(await blobs.endWriter(this.storageKey)))
      throw new BlobWriterClosedError('The upload was given up meanwhile: send it again.');
  }

  /** Adopts the row of equal bytes. */
  async #adoptPresent(blobs: BlobRepository): Promise<void> {
    const present = await blobs.lock(this.digest);
    if (!present) throw new SweptMeanwhileError();
    if (present.state === 'sound') {
      this.#superfluousKey = this.storageKey;
    } else {
      await blobs.repoint(this.digest, this.storageKey);
      this.#superfluousKey = present.storageKey;
    }
  }

  /** After the commit: drops whichever object is not needed any more. */
  async settle(): Promise<void> {
    this.#isSettled = true;
    if (this.#superfluousKey) await this.#store.delete(this.#superfluousKey, { isFinished: true });
  }

  /** Removes every trace, unless `adopt` has committed after all. */
  async abort(): Promise<void> {
    if (this.#isSettled) return;
    this.#isSettled = true;
    // Whoever removes the writer's row decides: a commit whose answer was lost has removed it, and then its bytes
    // stay.
    if (await this.#rows.endWriter(this.storageKey)) await this.#store.delete(this.storageKey, { isFinished: true });
  }
}

/** Makes the transaction run again: the row of equal bytes was swept between our insert and our lock. */
class SweptMeanwhileError extends Error {
  readonly code = '40001';
}
