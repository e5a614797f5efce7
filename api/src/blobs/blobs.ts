// The slice's service: blobs by digest. Where the bytes are is a driver's business (blob-store.ts, drivers/).

import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Database } from '../db/index.ts';
import { digestOf } from '../digests/index.ts';
import type { BlobLinkHeaders, BlobStore, ByteRange } from './blob-store.ts';
import { createFsStore, type FsStoreOptions } from './drivers/fs.ts';
import { openS3Store, type S3StoreOptions } from './drivers/s3.ts';
import { BlobMissingError, BlobRangeInvalidError } from './errors.ts';
import { FinishedBlob } from './finished-blob.ts';
import { blobRepository, type BlobRow } from './repository.ts';
import { beginBlobWrite, discardBlobWrite, resumeBlobWrite, type BlobWrite, type BlobWriteRows } from './write.ts';

export interface Blobs {
  /** Begins to take in a blob. @throws storage_full, storage_unavailable */
  begin(): Promise<BlobWrite>;
  /**
   * Continues an upload that was suspended, or whose process died, by its `storageKey`. One caller at a time, in all
   * processes together.
   * @throws blob_missing when it is gone; storage_unavailable /
   */
  resume(storageKey: string): Promise<BlobWrite>;
  /** Removes every trace of an upload that nobody has open, unless it was adopted. */
  discard(storageKey: string): Promise<void>;
  /** The rows of blobs in flight, for another thread that takes them in. */
  readonly writeRows: BlobWriteRows;
  /** For bytes that another thread has finished: what is left is to adopt them. */
  finished(blob: Pick<FinishedBlob, 'storageKey' | 'digest' | 'sizeBytes'>): FinishedBlob;
  /** Opens the bytes of a digest (`sha256:<hex>`), or a part of them. @throws blob_missing, storage_unavailable */
  read(digest: string, range?: ByteRange): Promise<Readable>;
  /**
   * Hands the bytes of a digest, or a range within them, to `write`; the quickest way out, see BlobStore.send.
   * @throws blob_missing, also at the end when there were fewer; storage_unavailable; whatever `write` throws
   */
  send(digest: string, range: ByteRange | undefined, write: (chunk: Uint8Array) => Promise<void>): Promise<void>;
  /**
   * Makes a URL that the storage itself serves the bytes of a digest under, or tells that there is none.
   * @throws blob_missing
   */
  link(digest: string, headers: BlobLinkHeaders): Promise<string | undefined>;
  /**
   * Tells which file below the store's folder holds the bytes of a digest, all of them, for a program that reads it
   * itself: `'3f/3fa9…'`.
   * @returns undefined where blobs are no files
   * @throws blob_missing, also when there are fewer bytes; storage_unavailable /
   */
  locate(digest: string): Promise<string | undefined>;
  /**
   * Reads the bytes of a digest back, compares them, and marks what is found, so that equal bytes that arrive take
   * their place.
   */
  verify(digest: string, signal?: AbortSignal): Promise<BlobRow['state']>;
  /** Tells how many bytes more fit; undefined where the storage does not say. */
  freeBytes(): Promise<number | undefined>;
  /** Counts blobs and the bytes they hold. */
  totals(): Promise<{ count: number; sizeBytes: number }>;
  /** Throws storage_unavailable when the storage does not answer. */
  check(): Promise<void>;
}

/** Which storage, in what another thread can be told. */
export type BlobStoreOptions = ({ kind: 'fs' } & FsStoreOptions) | ({ kind: 's3' } & S3StoreOptions);

/** Opens a storage; whether it answers is not looked at. */
export async function openBlobStore(options: BlobStoreOptions): Promise<BlobStore> {
  return options.kind === 'fs' ? createFsStore(options) : openS3Store(options);
}

export function createBlobs({ database, store }: { database: Database; store: BlobStore }): Blobs {
  const repository = blobRepository(database.db);
  // A writer's row that a power cut takes back leaves an object that the sweep removes, as no row has it.
  const writeRows = {
    ...repository,
    beginWriter: (storageKey: string) => database.withoutFlush((db) => blobRepository(db).beginWriter(storageKey)),
  };

  async function find(digest: string): Promise<BlobRow> {
    const row = await repository.find(digest);
    // Bytes that a scrub found damaged would not be what was published; a missing object may be back.
    if (!row || row.state === 'damaged') throw lost();
    return row;
  }

  async function look(
    { digest, storageKey, sizeBytes }: BlobRow,
    signal: AbortSignal | undefined,
  ): Promise<BlobRow['state']> {
    const hash = createHash('sha256');
    let bytesRead = 0;
    try {
      await store.send(storageKey, undefined, async (chunk) => {
        signal?.throwIfAborted();
        hash.update(chunk);
        bytesRead += chunk.length;
      });
    } catch (error) {
      if (error instanceof BlobMissingError) return 'missing';
      throw error;
    }
    return bytesRead === sizeBytes && digestOf(hash) === digest ? 'sound' : 'damaged';
  }

  return {
    begin: () => beginBlobWrite(writeRows, store),
    resume: (storageKey) => resumeBlobWrite(repository, store, storageKey),
    discard: (storageKey) => discardBlobWrite(repository, store, storageKey),
    writeRows,
    finished: (blob) => new FinishedBlob(repository, store, blob),
    read: async (digest, range) => store.read((await find(digest)).storageKey, range),
    async send(digest, range, write) {
      const { storageKey, sizeBytes } = await find(digest);
      let bytesLeft = range ? range.end - range.start + 1 : sizeBytes;
      const sending = store.send(storageKey, range, (chunk) => {
        bytesLeft -= chunk.length;
        return write(chunk);
      });
      await sending.catch((error: unknown) => {
        throw error instanceof BlobRangeInvalidError ? lost(error) : error;
      });
      // The driver knows no more than what is there: an object that was cut short is whole to it.
      if (bytesLeft > 0) throw lost();
    },
    async link(digest, headers) {
      if (!store.link) return undefined;
      const { storageKey, state } = await find(digest);
      // What is known to be unsound is refused by us, in our words.
      return state === 'sound' ? store.link(storageKey, headers) : undefined;
    },
    async locate(digest) {
      if (store.kind !== 'fs') return undefined;
      const row = await find(digest);
      const { sizeBytes } = await store.stat(row.storageKey);
      if (sizeBytes !== row.sizeBytes) throw lost();
      return row.storageKey;
    },
    async verify(digest, signal) {
      const row = await repository.find(digest);
      if (!row) return 'missing';
      const state = await look(row, signal);
      if (state !== row.state) await repository.mark(row, state);
      return state;
    },
    freeBytes: async () => store.freeBytes?.(),
    totals: () => repository.totals(),
    check: () => store.check(),
  };
}

function lost(cause?: unknown): Error {
  return new BlobMissingError(
    'The registry has lost the bytes of this artefact: its administrator should upload it again.',
    { cause },
  );
}
