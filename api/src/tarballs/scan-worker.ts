// The scans of large tarballs, as the worker thread runs them. Inflating itself runs on the thread pool of the
// process: here are the tar and the garbage of inflating, away from the event loop that answers requests.

import type { TarballScan } from './scan.ts';
import { createTarballScanner, type TarballLimits, type TarballScanner } from './scanner.ts';

/** Bytes go through shared memory, in pieces: a message wakes the other thread, which 64 KiB are not worth. */
export const PIECE_BYTES = 128 * 1024;
/** Pieces of one scan: being filled, on their way, being inflated. */
export const PIECES = 4;

/** What the worker thread offers. */
export interface ScanApi {
  /**
   * Scans a tarball whose pieces follow, up to `endScan`.
   * @param scan a number of the caller's, unique while it lasts
   * @param memory PIECES of PIECE_BYTES each
   * @throws as TarballScanner, as soon as it is known
   */
  scan(scan: number, limits: TarballLimits, memory: SharedArrayBuffer): Promise<TarballScan>;
  /** Reads a piece, which belongs to the worker meanwhile. @returns about how much memory the scan holds */
  scanPiece(scan: number, piece: number, sizeBytes: number): Promise<number>;
  endScan(scan: number): void;
  abortScan(scan: number): void;
}

interface Scan extends PromiseWithResolvers<TarballScan> {
  scanner: TarballScanner;
  memory: SharedArrayBuffer;
  /** Settles when everything before has been read. */
  last: Promise<unknown>;
}

/** Gives the view of one piece, the same on both sides. */
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
        last: Promise.resolve(),
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
      const read = scan.last.then(() => scan.scanner.write(pieceOf(scan.memory, piece, sizeBytes)));
      scan.last = read;
      // The failure is the scan's, which tells it.
      await read.catch(scan.reject);
      return scan.scanner.heldBytes;
    },
    endScan(id) {
      const scan = scans.get(id);
      scan?.last.then(() => scan.scanner.finish()).then(scan.resolve, scan.reject);
    },
    abortScan(id) {
      const scan = scans.get(id);
      scan?.scanner.abort();
      scan?.reject(new Error('The scan was aborted'));
    },
  };
}
