// Where a tarball is scanned: the small ones in the thread that receives them, the large ones in a thread of their own.

import { createScanThread } from './scan-thread.ts';
import { createTarballScanner, type TarballLimits, type TarballScanner } from './scanner.ts';

/** Larger tarballs go to the thread: below, handing over costs more than it brings. Held in memory until then. */
const IN_PLACE_BYTES = 256 * 1024;

export interface UploadScanner extends TarballScanner {
  /** Rejects with the first failure as soon as it is found, be it that all was taken before; else it stays pending. */
  readonly failed: Promise<never>;
}

export interface TarballScanners {
  /** Creates the scanner of one tarball, which may take a chunk long before it is scanned. */
  create(limits: TarballLimits): UploadScanner;
  /** Ends the thread; what it scans fails. */
  close(): Promise<void>;
}

/** Makes scanners that share one thread, which starts when the first tarball needs it. */
export function createTarballScanners(): TarballScanners {
  const thread = createScanThread();

  function create(limits: TarballLimits): UploadScanner {
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => undefined);
    let scanner = createTarballScanner(limits);
    let held: Uint8Array[] | undefined = [];
    let heldBytes = 0;

    /** The scan begins anew there: what inflates cannot be moved. */
    async function handOver(chunks: Uint8Array[]): Promise<void> {
      scanner.abort();
      scanner = thread.scan(limits, reject);
      for (const chunk of chunks) await scanner.write(chunk);
    }

    return {
      failed,
      get heldBytes() { return scanner.heldBytes + (held ? heldBytes : 0); },
      async write(chunk) {
        if (held) {
          heldBytes += chunk.length;
          if (heldBytes <= IN_PLACE_BYTES) {
            held.push(new Uint8Array(chunk));
          } else {
            const chunks = held;
            held = undefined;
            await handOver(chunks);
          }
        }
        await scanner.write(chunk);
      },
      finish: () => scanner.finish(),
      abort: () => { scanner.abort(); },
    };
  }

  return { create, close: () => thread.close() };
}
