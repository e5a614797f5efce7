// Where a tarball is scanned: the small ones in the thread that receives them, the large ones in the worker thread.

import type { BackgroundWorker } from '../workers/index.ts';
import { RemoteScan } from './remote-scan.ts';
import type { ScanApi } from './scan-worker.ts';
import { createTarballScanner, type TarballLimits, type TarballScanner } from './scanner.ts';

/** Larger tarballs go to the worker: below, handing over costs more than it brings. Held in memory until then. */
const IN_PLACE_BYTES = 256 * 1024;

export interface IngestScanner extends TarballScanner {
  /** Rejects with the first failure as soon as it is found, be it that all was taken before; else it stays pending. */
  readonly failed: Promise<never>;
}

export interface TarballScanners {
  /** Creates the scanner of one tarball, which may take a chunk long before it is scanned. */
  create(limits: TarballLimits): IngestScanner;
}

/** @param worker scans the large ones; without it, which is for that thread itself, all are scanned in place */
export function createTarballScanners(worker?: BackgroundWorker<ScanApi>): TarballScanners {
  let lastId = 0;

  function create(limits: TarballLimits): IngestScanner {
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => undefined);
    let scanner = createTarballScanner(limits);
    let held: Uint8Array[] | undefined = worker && [];
    let heldBytes = 0;

    /** The scan begins anew there: what inflates cannot be moved. */
    async function handOver(to: BackgroundWorker<ScanApi>, chunks: Uint8Array[]): Promise<void> {
      scanner.abort();
      scanner = new RemoteScan({ worker: to, id: ++lastId, limits, onFailure: reject });
      for (const chunk of chunks) await scanner.write(chunk);
    }

    return {
      failed,
      get heldBytes() {
        return scanner.heldBytes + (held ? heldBytes : 0);
      },
      async write(chunk) {
        if (worker && held) {
          heldBytes += chunk.length;
          if (heldBytes <= IN_PLACE_BYTES) {
            held.push(new Uint8Array(chunk));
          } else {
            const chunks = held;
            held = undefined;
            await handOver(worker, chunks);
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
