// A scan in the worker thread, as the thread sees it that receives the tarball.

import type { BackgroundWorker } from '../workers/index.ts';
import { PIECE_BYTES, pieceOf, PIECES, type ScanApi } from './scan-worker.ts';
import type { TarballScan } from './scan.ts';
import type { TarballLimits, TarballScanner } from './scanner.ts';

export interface RemoteScanOptions {
  worker: BackgroundWorker<ScanApi>;
  /** Unique among the scans of the worker. */
  id: number;
  limits: TarballLimits;
  /** Called with the first failure, also while nothing waits for the scan: what it waits for rejects with the same. */
  onFailure: (error: Error) => void;
}

/** Hands a tarball over piece by piece, and waits only when all pieces are on the other side. */
export class RemoteScan implements TarballScanner {
  readonly #id: number;
  readonly #api: ReturnType<BackgroundWorker<ScanApi>['acquire']>['api'];
  readonly #memory = new SharedArrayBuffer(PIECES * PIECE_BYTES);
  readonly #freePieces = Array.from({ length: PIECES }, (_unused, piece) => piece);
  #filling: { piece: number; sizeBytes: number } | undefined;
  #failure: Error | undefined;
  #heldBytesThere = 0;
  readonly #result = Promise.withResolvers<TarballScan>();
  /** What a `write` waits for. */
  #pieceFreed: PromiseWithResolvers<void> | undefined;

  constructor({ worker, id, limits, onFailure }: RemoteScanOptions) {
    const { api, release } = worker.acquire();
    this.#id = id;
    this.#api = api;
    this.#result.promise.catch(() => undefined);
    api
      .scan(id, limits, this.#memory)
      .then(this.#result.resolve, (error: Error) => {
        if (this.#failure) return;
        this.#end(error);
        onFailure(error);
      })
      .finally(release);
  }

  get heldBytes(): number {
    return PIECES * PIECE_BYTES + this.#heldBytesThere;
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
    this.#tell(this.#api.endScan.asEvent(this.#id));
    return this.#result.promise;
  }

  abort(): void {
    if (this.#failure) return;
    // The worker may have come to the end at this very moment: whoever waits is told of the abort all the same.
    this.#end(new Error('The scan was aborted'));
    this.#tell(this.#api.abortScan.asEvent(this.#id));
  }

  #end(failure: Error): void {
    this.#failure = failure;
    this.#pieceFreed?.reject(failure);
    this.#result.reject(failure);
  }

  /**
   * A full piece waits for nothing; one that is not goes when there is nothing else to do there, so that failures are
   * told at once.
   */
  #sendToIdle(): void {
    if (this.#freePieces.length === PIECES - 1) this.#send();
  }

  #send(): void {
    if (!this.#filling) return;
    const { piece, sizeBytes } = this.#filling;
    this.#filling = undefined;
    this.#tell(
      this.#api.scanPiece(this.#id, piece, sizeBytes).then((heldBytes) => {
        this.#heldBytesThere = heldBytes;
        this.#freePieces.push(piece);
        this.#sendToIdle();
        this.#pieceFreed?.resolve();
      }),
    );
  }

  /** A worker that has ended fails the scan itself. */
  #tell(call: Promise<unknown>): void {
    call.catch(() => undefined);
  }
}
