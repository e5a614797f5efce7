// Chooses where a tarball is scanned: small ones in the thread that receives them, ones that are large, or costly to
// scan, in the worker thread.

import type { BackgroundWorker } from '../workers/index.ts';
import type { ScanApi } from './scan-worker.ts';
import { createTarballScanner, ScanTooCostlyError, type TarballLimits, type TarballScanner } from './scanner.ts';
import { WorkerScanner } from './worker-scanner.ts';

/**
 * Larger tarballs go to the worker thread; for smaller ones the transfer costs more than it gains. A tarball is
 * buffered until it exceeds this size.
 */
const MAX_IN_PLACE_BYTES = 256 * 1024;
/**
 * A tarball that inflates to more, or has more to parse, goes to the worker thread as well: a few kilobytes could keep
 * this one busy for seconds. Plug-ins of 256 KiB inflate to some 1 MiB; deeply nested JSON takes 0.3 s per MiB.
 */
const IN_PLACE_BUDGET = { maxInflatedBytes: 2 * 1024 * 1024, maxParsedBytes: 256 * 1024 };

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
    let scanner = createTarballScanner(limits, worker && IN_PLACE_BUDGET);
    /** The tarball so far, while it is scanned in place. */
    let buffered: Uint8Array[] | undefined = worker && [];
    let bufferedBytes = 0;
    let isAborted = false;

    /** Starts the scan over in the worker thread: the state of an inflater cannot be moved. */
    async function moveToWorker(to: BackgroundWorker<ScanApi>): Promise<void> {
      const chunks = buffered ?? [];
      buffered = undefined;
      scanner.abort();
      scanner = new WorkerScanner({ worker: to, id: ++lastId, limits, onFailure: reject });
      if (isAborted) scanner.abort();
      for (const chunk of chunks) await scanner.write(chunk);
    }

    /** Runs a step in place; repeats the scan in the worker thread if it costs too much here. */
    async function inPlace<T>(step: () => Promise<T>, afterMove: () => Promise<T>): Promise<T> {
      try {
        return await step();
      } catch (error) {
        if (!worker || !(error instanceof ScanTooCostlyError)) throw error;
        await moveToWorker(worker);
        return afterMove();
      }
    }

    return {
      failed,
      get heldBytes() {
        return scanner.heldBytes + (buffered ? bufferedBytes : 0);
      },
      async write(chunk) {
        if (!worker || !buffered) return scanner.write(chunk);
        bufferedBytes += chunk.length;
        if (bufferedBytes > MAX_IN_PLACE_BYTES) {
          await moveToWorker(worker);
          return scanner.write(chunk);
        }
        buffered.push(new Uint8Array(chunk));
        // Its copy is among the chunks that move.
        await inPlace(
          () => scanner.write(chunk),
          () => Promise.resolve(),
        );
      },
      finish: () =>
        inPlace(
          () => scanner.finish(),
          () => scanner.finish(),
        ),
      abort: () => {
        isAborted = true;
        scanner.abort();
      },
    };
  }

  return { create };
}
