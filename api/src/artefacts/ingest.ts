// The bytes of one upload on their way in: stored, hashed and, of a tarball, scanned in one pass.

import type { BlobWrite, FinishedBlob } from '../blobs/index.ts';
import type { TarballLimits, TarballScan, TarballScanners } from '../tarballs/index.ts';
import type { Format } from './artefact.ts';
import { formatFileIndex } from './file-index.ts';

/** What was learnt of the bytes; `scan` and `fileIndex` (see file-index.ts) of a tarball. */
export interface Ingested {
  blob: FinishedBlob;
  scan: TarballScan | undefined;
  fileIndex: string[];
}

export interface Ingest {
  /** See Blobs.resume. */
  readonly storageKey: string;
  readonly sizeBytes: number;
  /** About how much memory is held between two writes. */
  readonly heldBytes: number;
  /**
   * Rejects with what is wrong with a tarball as soon as it is found, even when every byte was accepted before; else
   * it stays pending. Undefined where nothing is looked for.
   */
  readonly failed: Promise<never> | undefined;
  /**
   * Takes the next chunk, whose memory is in use until it resolves.
   * @throws what the storage and the scanner do; then only `abort` and `forget` are left
   */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Makes the bytes durable and lets go of the storage; what was hashed and scanned lives on in this object.
   * @param keptUntil no sweep takes the bytes before
   */
  suspend(keptUntil: Date): Promise<void>;
  /** Continues after `suspend`. @throws blob_missing when bytes are gone */
  reopen(): Promise<void>;
  /**
   * Ends the bytes: durable, hashed and scanned, reading back what was taken in by another process or before a
   * restart. May be asked again.
   * @throws as `write`, and what is wrong with the tarball as a whole /
   */
  finish(): Promise<Ingested>;
  /** Removes every trace, unless the finished blob was adopted. */
  abort(): Promise<void>;
  /** Lets go of the memory and leaves what is stored to `Publishing.resume`. */
  forget(): void;
}

/** A hash and its surroundings. */
const BASE_BYTES = 4 * 1024;

export function createIngest(
  upload: BlobWrite,
  format: Format,
  { limits, scanners }: { limits: TarballLimits; scanners: TarballScanners },
): Ingest {
  const scanner = format === 'npm' ? scanners.create(limits) : undefined;
  let ingested: Ingested | undefined;
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
      // The scanner goes along with the hash: what they miss, they are given by finish().
      if (!scanner || !upload.isHashed) await upload.write(chunk);
      else await Promise.all([upload.write(chunk), scanner.write(chunk)]);
    },
    suspend: (keptUntil) => upload.suspend(keptUntil),
    reopen: () => upload.reopen(),
    async finish() {
      if (ingested) return ingested;
      await upload.reopen();
      // Where nothing was missed, a tarball that is refused need not be made durable first.
      const early = upload.isHashed ? await scanner?.finish() : undefined;
      const blob = await upload.finish((chunk) => scanner?.write(chunk) ?? Promise.resolve());
      const scan = early ?? (await scanner?.finish());
      ingested = { blob, scan, fileIndex: await formatFileIndex(scan?.files ?? []) };
      return ingested;
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
