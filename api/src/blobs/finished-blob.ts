// The last steps of an upload: adopting durable bytes into the database, or discarding them.

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
  /** Object that is redundant once the adoption is committed. */
  #redundantKey: string | undefined;
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

  /**
   * Inserts the blob's row, or adopts the existing row of equal bytes and repairs it if it is damaged or missing. Runs
   * in the caller's transaction.
   * @throws blob_writer_closed when the upload was discarded meanwhile
   */
  async adopt(tx: Tx): Promise<void> {
    const blobs = blobRepository(tx);
    if (await blobs.insert(this)) this.#redundantKey = undefined;
    else await this.#adoptExisting(blobs);
    if (!(await blobs.endWriter(this.storageKey)))
      throw new BlobWriterClosedError('The upload was discarded in the meantime. Send it again.');
  }

  async #adoptExisting(blobs: BlobRepository): Promise<void> {
    const existing = await blobs.lock(this.digest);
    if (!existing) throw new ConcurrentlySweptError();
    if (existing.state === 'sound') {
      this.#redundantKey = this.storageKey;
    } else {
      await blobs.repoint(this.digest, this.storageKey);
      this.#redundantKey = existing.storageKey;
    }
  }

  /** Deletes the redundant object. Call after the commit. */
  async settle(): Promise<void> {
    this.#isSettled = true;
    if (this.#redundantKey) await this.#store.delete(this.#redundantKey, { isFinished: true });
  }

  /** Removes every trace, unless `adopt` has been committed. */
  async abort(): Promise<void> {
    if (this.#isSettled) return;
    this.#isSettled = true;
    // Deleting the writer's row arbitrates between commit and abort. A commit whose response was lost has already
    // deleted it; the bytes then stay.
    if (await this.#rows.endWriter(this.storageKey)) await this.#store.delete(this.storageKey, { isFinished: true });
  }
}

/** Makes the transaction retry: the row of equal bytes was swept between our insert and our lock. */
class ConcurrentlySweptError extends Error {
  readonly code = '40001';
}
