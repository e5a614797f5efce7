// Scans large tarballs in the worker thread. Inflating runs on the thread pool of the process; reading the tar and
// collecting the garbage of inflating happen here, off the event loop that serves requests.

import type { TarballScan } from './scan.ts';
import { createTarballScanner, type TarballLimits, type TarballScanner } from './scanner.ts';

/** Bytes travel in pieces of shared memory. Each message wakes the other thread, which 64 KiB are not worth. */
export const PIECE_BYTES = 128 * 1024;
/** Pieces per scan: being filled, in transit, being inflated. */
export const PIECES = 4;

/** RPC interface of the worker thread. */
export interface ScanApi {
  /**
   * Scans a tarball that `scanPiece` delivers, up to `endScan`.
   * @param scan id chosen by the caller, unique among running scans
   * @param memory PIECES of PIECE_BYTES each
   * @throws the errors of TarballScanner, as soon as they are found
   */
  scan(scan: number, limits: TarballLimits, memory: SharedArrayBuffer): Promise<TarballScan>;
  /** Reads a piece, which the worker owns until it returns. @returns approximate memory use of the scan, in bytes */
  scanPiece(scan: number, piece: number, sizeBytes: number): Promise<number>;
  endScan(scan: number): void;
  abortScan(scan: number): void;
}

interface Scan extends PromiseWithResolvers<TarballScan> {
  scanner: TarballScanner;
  memory: SharedArrayBuffer;
  /** Settles when all pieces so far have been read. */
  lastRead: Promise<unknown>;
}

/** Returns the view of one piece; both threads use it. */
export function pieceOf(memory: SharedArrayBuffer, piece: number, sizeBytes = PIECE_BYTES): Uint8Array {
  return new Uint8Array(memory, piece * PIECE_BYTES, sizeBytes);
}

export function createScanApi(): ScanApi {
  const scans = new Map<number, Scan>();
  return {
    async scan(id, limits, memory) {
      const scan = {
        scanner: createTarballScanner(limits),
        memory,
        lastRead: Promise.resolve(),
        ...Promise.withResolvers<TarballScan>(),
      };
      scans.set(id, scan);
      try {
        return await scan.promise;
      } finally {
        scans.delete(id);
      }
    },
    async scanPiece(id, piece, sizeBytes) {
      const scan = scans.get(id);
      if (!scan) return 0;
      const read = scan.lastRead.then(() => scan.scanner.write(pieceOf(scan.memory, piece, sizeBytes)));
      scan.lastRead = read;
      // `scan` reports the error.
      await read.catch(scan.reject);
      return scan.scanner.heldBytes;
    },
    endScan(id) {
      const scan = scans.get(id);
      scan?.lastRead.then(() => scan.scanner.finish()).then(scan.resolve, scan.reject);
    },
    abortScan(id) {
      const scan = scans.get(id);
      scan?.scanner.abort();
      scan?.reject(new Error('The scan was aborted'));
    },
  };
}
