// Ingests the bytes of one upload: stores, hashes and, for a tarball, scans them in one pass.

import type { BlobWrite, FinishedBlob } from '../blobs/index.ts';
import type { TarballLimits, TarballScan, TarballScanners } from '../tarballs/index.ts';
import type { Format } from './artefact.ts';
import { formatFileIndex } from './file-index.ts';

export interface IngestResult {
  blob: FinishedBlob;
  /** Tarballs only. */
  scan: TarballScan | undefined;
  /** Parts of the file index (file-index.ts); empty unless a tarball. */
  fileIndex: string[];
}

export interface Ingest {
  /** Key for `Publishing.resume`. */
  readonly storageKey: string;
  readonly sizeBytes: number;
  /** Approximate memory use between two writes, in bytes. */
  readonly heldBytes: number;
  /**
   * Rejects with the first error in a tarball as soon as it is found, even if all writes have resolved; else it stays
   * pending. Undefined for files, which are not scanned.
   */
  readonly failed: Promise<never> | undefined;
  /**
   * Writes the next chunk, which must not change until the promise resolves.
   * @throws the errors of the storage and the scanner; afterwards only `abort` and `forget` may be called
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Makes the bytes durable and closes the storage writer. This object keeps the state of hash and scan.
   * @param keptUntil the sweep does not delete the bytes before then
   */
  suspend(keptUntil: Date): Promise<void>;
  /** Continues after `suspend`. @throws blob_missing if bytes are lost */
  reopen(): Promise<void>;
  /**
   * Finishes the upload: the bytes are durable, hashed and scanned. Reads back bytes that another process, or this one
   * before a restart, received. Idempotent.
   * @throws the errors of `write`, and those of the tarball as a whole
   */
  finish(): Promise<IngestResult>;
  /** Deletes the stored bytes, unless the finished blob was adopted. */
  abort(): Promise<void>;
  /** Frees the memory. The stored bytes remain available to `Publishing.resume`. */
  forget(): void;
}

/** Memory of the hash and the objects around it. */
const BASE_BYTES = 4 * 1024;

export function createIngest(
  upload: BlobWrite,
  format: Format,
  { limits, scanners }: { limits: TarballLimits; scanners: TarballScanners },
): Ingest {
  const scanner = format === 'npm' ? scanners.create(limits) : undefined;
  let result: IngestResult | undefined;
  return {
    storageKey: upload.storageKey,
    get sizeBytes() {
      return upload.sizeBytes;
    },
    failed: scanner?.failed,
    get heldBytes() {
      return BASE_BYTES + (scanner?.heldBytes ?? 0);
    },
    async write(chunk) {
      // The scanner sees the same bytes as the hash; finish() feeds both the bytes that they missed.
      if (!scanner || !upload.isHashed) await upload.write(chunk);
      else await Promise.all([upload.write(chunk), scanner.write(chunk)]);
    },
    suspend: (keptUntil) => upload.suspend(keptUntil),
    reopen: () => upload.reopen(),
    async finish() {
      if (result) return result;
      await upload.reopen();
      // If the scanner has seen all bytes, an invalid tarball is rejected before it is made durable.
      const completeScan = upload.isHashed ? await scanner?.finish() : undefined;
      const blob = await upload.finish((chunk) => scanner?.write(chunk) ?? Promise.resolve());
      const scan = completeScan ?? (await scanner?.finish());
      result = { blob, scan, fileIndex: await formatFileIndex(scan?.files ?? []) };
      return result;
    },
    async abort() {
      scanner?.abort();
      await upload.abort();
    },
    forget() {
      scanner?.abort();
    },
  };
}
