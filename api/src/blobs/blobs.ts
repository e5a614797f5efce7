// Blob service: stores and reads blobs by digest. Drivers know where the bytes are (blob-store.ts, drivers/).

import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Database } from '../db/index.ts';
import { digestOf } from '../digests/index.ts';
import type { BlobLinkHeaders, BlobStore, ByteRange } from './blob-store.ts';
import { recordState } from './damage.ts';
import { createFsStore, type FsStoreOptions } from './drivers/fs.ts';
import { openS3Store, type S3StoreOptions } from './drivers/s3.ts';
import { BlobMissingError, BlobRangeInvalidError } from './errors.ts';
import { FinishedBlob } from './finished-blob.ts';
import { blobRepository, type BlobRow } from './repository.ts';
import { beginBlobWrite, discardBlobWrite, resumeBlobWrite, type BlobWrite, type BlobWriteRows } from './write.ts';

export interface Blobs {
  /** Starts an upload. @throws storage_full, storage_unavailable */
  begin(): Promise<BlobWrite>;
  /**
   * Continues an upload by its `storageKey`, after `suspend` or the death of its process. Only one caller at a time,
   * across all processes.
   * @throws blob_missing when the upload no longer exists; storage_unavailable
   */
  resume(storageKey: string): Promise<BlobWrite>;
  /** Removes every trace of an upload that is not open anywhere, unless it was adopted. */
  discard(storageKey: string): Promise<void>;
  /** The rows of uploads in progress, for uploads that run in a worker thread. */
  readonly writeRows: BlobWriteRows;
  /** Wraps bytes that a worker thread has finished, so that they can be adopted. */
  finished(blob: Pick<FinishedBlob, 'storageKey' | 'digest' | 'sizeBytes'>): FinishedBlob;
  /** Streams the blob of a digest (`sha256:<hex>`), or a range of it. @throws blob_missing, storage_unavailable */
  read(digest: string, range?: ByteRange): Promise<Readable>;
  /**
   * Passes the blob of a digest, or a range of it, to `write`; the fastest way to read, see `BlobStore.send`.
   * @throws blob_missing, also at the end if the blob was truncated; storage_unavailable; whatever `write` throws
   */
  send(digest: string, range: ByteRange | undefined, write: (chunk: Uint8Array) => Promise<void>): Promise<void>;
  /**
   * Creates a URL under which the storage itself serves the blob; undefined if the storage has no such URLs.
   * @throws blob_missing
   */
  link(digest: string, headers: BlobLinkHeaders): Promise<string | undefined>;
  /**
   * Finds the file of a blob, relative to the store's folder, for a program that reads it itself: `'3f/3fa9…'`.
   * @returns undefined if blobs are not stored as files
   * @throws blob_missing, also when the file is truncated; storage_unavailable
   */
  locate(digest: string): Promise<string | undefined>;
  /**
   * Reads a blob back, compares it with its digest and records the result. An upload of equal bytes replaces a blob
   * recorded as damaged or missing.
   */
  verify(digest: string, signal?: AbortSignal): Promise<BlobRow['state']>;
  /** Returns the free space in bytes; undefined if the storage does not report it. */
  freeBytes(): Promise<number | undefined>;
  /** Counts blobs and the bytes they hold. */
  totals(): Promise<{ count: number; sizeBytes: number }>;
  /** Checks that the storage works. @throws storage_unavailable */
  check(): Promise<void>;
}

/** Options of a storage, as plain data that can be sent to a worker thread. */
export type BlobStoreOptions = ({ kind: 'fs' } & FsStoreOptions) | ({ kind: 's3' } & S3StoreOptions);

/** Opens a storage without checking that it works. */
export async function openBlobStore(options: BlobStoreOptions): Promise<BlobStore> {
  return options.kind === 'fs' ? createFsStore(options) : openS3Store(options);
}

export function createBlobs({ database, store }: { database: Database; store: BlobStore }): Blobs {
  const repository = {
    ...blobRepository(database.db),
    mark: (row: Pick<BlobRow, 'digest' | 'storageKey'>, state: BlobRow['state']) =>
      database.transaction((tx) => recordState(tx, row, state)),
  };
  // Rows are inserted and deleted without a flush: if a power failure loses one, or brings it back, the sweep removes
  // its object.
  const writeRows = {
    ...repository,
    beginWriter: (storageKey: string) => database.withoutFlush((db) => blobRepository(db).beginWriter(storageKey)),
    endWriter: (storageKey: string) => database.withoutFlush((db) => blobRepository(db).endWriter(storageKey)),
  };

  async function find(digest: string): Promise<BlobRow> {
    const row = await repository.find(digest);
    // Damaged bytes are not what was published, so they are never served. A missing object may have been restored.
    if (!row || row.state === 'damaged') throw bytesLost();
    return row;
  }

  async function compare(
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
        throw error instanceof BlobRangeInvalidError ? bytesLost(error) : error;
      });
      // The driver cannot detect a truncated object: it only knows the bytes that are there.
      if (bytesLeft > 0) throw bytesLost();
    },
    async link(digest, headers) {
      if (!store.link) return undefined;
      const { storageKey, state } = await find(digest);
      // For a damaged or missing blob the server answers itself, with a problem document.
      return state === 'sound' ? store.link(storageKey, headers) : undefined;
    },
    async locate(digest) {
      if (store.kind !== 'fs') return undefined;
      const row = await find(digest);
      const { sizeBytes } = await store.stat(row.storageKey);
      if (sizeBytes !== row.sizeBytes) throw bytesLost();
      return row.storageKey;
    },
    async verify(digest, signal) {
      const row = await repository.find(digest);
      if (!row) return 'missing';
      const state = await compare(row, signal);
      if (state !== row.state) await repository.mark(row, state);
      return state;
    },
    freeBytes: async () => store.freeBytes?.(),
    totals: () => blobRepository(database.aside).totals(),
    check: () => store.check(),
  };
}

function bytesLost(cause?: unknown): Error {
  return new BlobMissingError(
    'The bytes of this artefact are missing or damaged. Ask an administrator of the artefact to upload it again.',
    { cause },
  );
}
