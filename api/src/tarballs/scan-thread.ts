// One thread for the scans of large tarballs, started for the first of them: what it costs is decision 11's business.

import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { errorOf } from '../errors.ts';
import { SLOT_BYTES, slotOf, SLOTS, type ScanReport, type ScanRequest } from './scan-messages.ts';
import type { TarballScan } from './scan.ts';
import type { TarballLimits, TarballScanner } from './scanner.ts';

/** Beside this file, in the language in which it runs. */
const PROGRAM = join(import.meta.dirname, `scan-worker${extname(import.meta.filename)}`);

/** MiB: what an inflated chunk leaves in the heap is small, and the sooner it is collected the sooner the chunk's memory is free. */
const YOUNG_GENERATION_MB = 1;

export interface ScanThread {
  /** @param onFailure told of the first failure, also while nothing waits for the scan: what it waits for rejects with the same */
  scan(limits: TarballLimits, onFailure: (error: Error) => void): TarballScanner;
  /** Ends the thread; what it scans fails. */
  close(): Promise<void>;
}

/** Makes a thread that starts with its first scan, and anew with the next one when it has broken down. */
export function createScanThread(): ScanThread {
  const scans = new Map<number, ThreadScan>();
  let worker: Worker | undefined;
  let lastId = 0;

  function start(): Worker {
    const started = new Worker(PROGRAM, { execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB } });
    started.on('message', (report: ScanReport) => {
      const scan = scans.get(report.scan);
      if (report.type !== 'taken') release(report.scan);
      scan?.take(report);
    });
    started.on('error', (error) => { lose(started, error); });
    started.on('exit', () => { lose(started); });
    started.unref();
    return started;
  }

  function lose(lost: Worker, cause?: unknown): void {
    if (worker !== lost) return;
    worker = undefined;
    const failed = [...scans.values()];
    scans.clear();
    for (const scan of failed) scan.fail(new Error('The thread that scans tarballs has ended.', { cause }));
  }

  /** Holds the process only while something is scanned. */
  function release(id: number): void {
    if (scans.delete(id) && scans.size === 0) worker?.unref();
  }

  return {
    scan(limits, onFailure) {
      const thread = worker ??= start();
      thread.ref();
      const id = ++lastId;
      const scan = new ThreadScan(limits, {
        send: (request) => { thread.postMessage({ ...request, scan: id }); },
        onFailure,
        onAbort: () => { release(id); },
      });
      scans.set(id, scan);
      return scan;
    },
    async close() {
      const ending = worker;
      if (!ending) return;
      lose(ending);
      await ending.terminate();
    },
  };
}

type WithoutScan<Request> = Request extends unknown ? Omit<Request, 'scan'> : never;

interface ThreadScanOptions {
  send(request: WithoutScan<ScanRequest>): void;
  onFailure(error: Error): void;
  onAbort(): void;
}

/** Hands a tarball over piece by piece, and waits only when all pieces are on the other side. */
class ThreadScan implements TarballScanner {
  readonly #options: ThreadScanOptions;
  readonly #memory = new SharedArrayBuffer(SLOTS * SLOT_BYTES);
  readonly #freeSlots = Array.from({ length: SLOTS }, (_unused, slot) => slot);
  #filling: { slot: number; sizeBytes: number } | undefined;
  #failure: Error | undefined;
  #heldBytesThere = 0;
  readonly #result = Promise.withResolvers<TarballScan>();
  /** What a `write` waits for. */
  #room: PromiseWithResolvers<void> | undefined;

  constructor(limits: TarballLimits, options: ThreadScanOptions) {
    this.#options = options;
    this.#result.promise.catch(() => undefined);
    options.send({ type: 'begin', limits, memory: this.#memory });
  }

  get heldBytes(): number { return SLOTS * SLOT_BYTES + this.#heldBytesThere; }

  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length;) {
      if (this.#failure) throw this.#failure;
      const slot = this.#filling?.slot ?? this.#freeSlots.pop();
      if (slot === undefined) {
        this.#room = Promise.withResolvers();
        await this.#room.promise;
        continue;
      }
      const from = this.#filling?.sizeBytes ?? 0;
      const piece = chunk.subarray(at, at + SLOT_BYTES - from);
      slotOf(this.#memory, slot).set(piece, from);
      this.#filling = { slot, sizeBytes: from + piece.length };
      at += piece.length;
      if (this.#filling.sizeBytes === SLOT_BYTES) this.#send();
    }
    this.#sendToIdle();
  }

  async finish(): Promise<TarballScan> {
    if (this.#failure) throw this.#failure;
    this.#send();
    this.#options.send({ type: 'end' });
    return this.#result.promise;
  }

  abort(): void {
    if (this.#failure) return;
    this.#options.onAbort();
    this.#options.send({ type: 'abort' });
    this.#end(new Error('The scan was aborted'));
  }

  take(report: ScanReport): void {
    switch (report.type) {
      case 'taken':
        this.#heldBytesThere = report.heldBytes;
        this.#freeSlots.push(report.slot);
        this.#sendToIdle();
        this.#room?.resolve();
        break;
      case 'done':
        this.#result.resolve(report.result);
        break;
      case 'failed': this.fail(errorOf(report.error));
    }
  }

  fail(error: Error): void {
    this.#end(error);
    this.#options.onFailure(error);
  }

  /** A full slot waits for nothing; one that is not goes when there is nothing else to do there, so that failures are told at once. */
  #sendToIdle(): void {
    if (this.#freeSlots.length === SLOTS - 1) this.#send();
  }

  #send(): void {
    if (this.#filling) this.#options.send({ type: 'piece', ...this.#filling });
    this.#filling = undefined;
  }

  #end(error: Error): void {
    this.#failure ??= error;
    this.#result.reject(this.#failure);
    this.#room?.reject(this.#failure);
  }
}
