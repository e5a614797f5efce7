// Chooses where a tarball is scanned: small ones in the thread that receives them, large ones in the worker thread.

import type { BackgroundWorker } from '../workers/index.ts';
import type { ScanApi } from './scan-worker.ts';
import { createTarballScanner, type TarballLimits, type TarballScanner } from './scanner.ts';
import { WorkerScanner } from './worker-scanner.ts';

/**
 * Larger tarballs go to the worker thread; for smaller ones the transfer costs more than it gains. A tarball is
 * buffered until it exceeds this size.
 */
const MAX_IN_PLACE_BYTES = 256 * 1024;

export interface IngestScanner extends TarballScanner {
  /** Rejects with the first error as soon as it is found, even if all writes have resolved; else it stays pending. */
  readonly failed: Promise<never>;
}

export interface TarballScanners {
  /** Creates the scanner of one tarball. Its `write` may resolve long before the chunk is scanned. */
  create(limits: TarballLimits): IngestScanner;
}

/** @param worker scans large tarballs; omitted in the worker thread itself, which scans all of them in place */
export function createTarballScanners(worker?: BackgroundWorker<ScanApi>): TarballScanners {
  let lastId = 0;

  function create(limits: TarballLimits): IngestScanner {
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => undefined);
    let scanner = createTarballScanner(limits);
    let buffered: Uint8Array[] | undefined = worker && [];
    let bufferedBytes = 0;

    /** Starts the scan over in the worker thread: the state of an inflater cannot be moved. */
    async function moveToWorker(to: BackgroundWorker<ScanApi>, chunks: Uint8Array[]): Promise<void> {
      scanner.abort();
      scanner = new WorkerScanner({ worker: to, id: ++lastId, limits, onFailure: reject });
      for (const chunk of chunks) await scanner.write(chunk);
    }

    return {
      failed,
      get heldBytes() {
        return scanner.heldBytes + (buffered ? bufferedBytes : 0);
      },
      async write(chunk) {
        if (worker && buffered) {
          bufferedBytes += chunk.length;
          if (bufferedBytes <= MAX_IN_PLACE_BYTES) {
            buffered.push(new Uint8Array(chunk));
          } else {
            const chunks = buffered;
            buffered = undefined;
            await moveToWorker(worker, chunks);
          }
        }
        await scanner.write(chunk);
      },
      finish: () => scanner.finish(),
      abort: () => {
        scanner.abort();
      },
    };
  }

  return { create };
}
