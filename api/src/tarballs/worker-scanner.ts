// Client side of a scan in the worker thread (scan-worker.ts): runs in the thread that receives the tarball.

import type { BackgroundWorker } from '../workers/index.ts';
import { PIECE_BYTES, pieceOf, PIECES, type ScanApi } from './scan-worker.ts';
import type { TarballScan } from './scan.ts';
import type { TarballLimits, TarballScanner } from './scanner.ts';

export interface WorkerScannerOptions {
  worker: BackgroundWorker<ScanApi>;
  /** Unique among the running scans of the worker. */
  id: number;
  limits: TarballLimits;
  /** Called with the first error, even if no call is pending. A pending call rejects with the same error. */
  onFailure: (error: Error) => void;
}

/** Sends a tarball to the worker in pieces of shared memory. `write` waits only while the worker owns all of them. */
export class WorkerScanner implements TarballScanner {
  readonly #id: number;
  readonly #api: ReturnType<BackgroundWorker<ScanApi>['acquire']>['api'];
  readonly #memory = new SharedArrayBuffer(PIECES * PIECE_BYTES);
  readonly #freePieces = Array.from({ length: PIECES }, (_unused, piece) => piece);
  #filling: { piece: number; sizeBytes: number } | undefined;
  #failure: Error | undefined;
  #workerHeldBytes = 0;
  readonly #result = Promise.withResolvers<TarballScan>();
  /** Settled when a piece is free again; a pending `write` waits for it. */
  #pieceFreed: PromiseWithResolvers<void> | undefined;

  constructor({ worker, id, limits, onFailure }: WorkerScannerOptions) {
    const { api, release } = worker.acquire();
    this.#id = id;
    this.#api = api;
    this.#result.promise.catch(() => undefined);
    api
      .scan(id, limits, this.#memory)
      .then(this.#result.resolve, (error: Error) => {
        if (this.#failure) return;
        this.#fail(error);
        onFailure(error);
      })
      .finally(release);
  }

  get heldBytes(): number {
    return PIECES * PIECE_BYTES + this.#workerHeldBytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      if (this.#failure) throw this.#failure;
      const piece = this.#filling?.piece ?? this.#freePieces.pop();
      if (piece === undefined) {
        this.#pieceFreed = Promise.withResolvers();
        await this.#pieceFreed.promise;
        continue;
      }
      const from = this.#filling?.sizeBytes ?? 0;
      const part = chunk.subarray(at, at + PIECE_BYTES - from);
      pieceOf(this.#memory, piece).set(part, from);
      this.#filling = { piece, sizeBytes: from + part.length };
      at += part.length;
      if (this.#filling.sizeBytes === PIECE_BYTES) this.#send();
    }
    this.#sendToIdle();
  }

  async finish(): Promise<TarballScan> {
    if (this.#failure) throw this.#failure;
    this.#send();
    this.#callWorker(this.#api.endScan.asEvent(this.#id));
    return this.#result.promise;
  }

  abort(): void {
    if (this.#failure) return;
    // The worker may be finishing at this moment: a pending call rejects with the abort all the same.
    this.#fail(new Error('The scan was aborted'));
    this.#callWorker(this.#api.abortScan.asEvent(this.#id));
  }

  #fail(failure: Error): void {
    this.#failure = failure;
    this.#pieceFreed?.reject(failure);
    this.#result.reject(failure);
  }

  /** Sends a partly filled piece if the worker is idle, so that errors are reported without delay. */
  #sendToIdle(): void {
    if (this.#freePieces.length === PIECES - 1) this.#send();
  }

  #send(): void {
    if (!this.#filling) return;
    const { piece, sizeBytes } = this.#filling;
    this.#filling = undefined;
    this.#callWorker(
      this.#api.scanPiece(this.#id, piece, sizeBytes).then((heldBytes) => {
        this.#workerHeldBytes = heldBytes;
        this.#freePieces.push(piece);
        this.#sendToIdle();
        this.#pieceFreed?.resolve();
      }),
    );
  }

  /** Ignores the error of a call: when the worker ends, `scan` itself rejects. */
  #callWorker(call: Promise<unknown>): void {
    call.catch(() => undefined);
  }
}
