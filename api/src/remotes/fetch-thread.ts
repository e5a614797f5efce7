// One thread that fetches, as the thread that asks for it sees it. What runs there is fetch-worker.ts.

import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describeError, errorOf } from '../errors.ts';
import { SlotMovedError } from './errors.ts';
import type { Desk, FetchReport, FetchRequest, FetchThreadData, ToldFetched, ToldOrder } from './fetch-messages.ts';

export interface FetchThreadOptions {
  data: FetchThreadData;
  /** What the thread may ask for. */
  desk: Desk;
  /** Told of what broke the thread down. */
  onError: (error: unknown) => void;
  /** The thread has ended, and takes no more orders. */
  onEnd: () => void;
}

/** Beside this file, in the language in which it runs. */
const PROGRAM = join(import.meta.dirname, `fetch-worker${extname(import.meta.filename)}`);

interface Running extends PromiseWithResolvers<ToldFetched> { onBytes: (count: number) => void }

/** Starts a thread, which holds the process only while it fetches something. */
export class FetchThread {
  readonly #worker: Worker;
  readonly #desk: Desk;
  readonly #onEnd: () => void;
  readonly #running = new Map<number, Running>();
  #lastId = 0;

  constructor({ data, desk, onError, onEnd }: FetchThreadOptions) {
    this.#desk = desk;
    this.#onEnd = onEnd;
    this.#worker = new Worker(PROGRAM, { execArgv: [], workerData: data });
    this.#worker.on('message', (report: FetchReport) => { this.#take(report); });
    this.#worker.on('error', (error) => {
      onError(error);
      this.#lose(error);
    });
    this.#worker.on('exit', () => { this.#lose(); });
  }

  /** How many orders are under way. */
  get load(): number { return this.#running.size; }

  /** @throws as Fetcher.fetch, also when the thread ends */
  async fetch(order: ToldOrder, signal: AbortSignal, onBytes: (count: number) => void): Promise<ToldFetched> {
    const number = ++this.#lastId;
    const fetching = { ...Promise.withResolvers<ToldFetched>(), onBytes };
    const abort = () => { this.#send({ type: 'abort', fetch: number }); };
    this.#running.set(number, fetching);
    this.#worker.ref();
    signal.addEventListener('abort', abort);
    try {
      this.#send({ type: 'fetch', fetch: number, order });
      return await fetching.promise;
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      this.#running.delete(number);
      if (this.#running.size === 0) this.#worker.unref();
    }
  }

  /** Ends the thread; what it fetches fails. */
  async close(): Promise<void> {
    this.#lose();
    await this.#worker.terminate();
  }

  #send(request: FetchRequest): void { this.#worker.postMessage(request); }

  #take(report: FetchReport): void {
    if (report.type === 'call') return void this.#answer(report);
    const fetching = this.#running.get(report.fetch);
    fetching?.onBytes(report.count);
    if (report.type === 'done') fetching?.resolve(report.fetched);
    if (report.type === 'failed') fetching?.reject(report.moved ? new SlotMovedError(report.error.message) : errorOf(report.error));
  }

  async #answer({ call, part, method, args }: FetchReport & { type: 'call' }): Promise<void> {
    try {
      const methods = this.#desk[part] as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
      this.#send({ type: 'answer', call, value: await methods[method]?.(...args) });
    } catch (error) {
      this.#send({ type: 'refusal', call, error: describeError(error) });
    }
  }

  #lose(cause?: unknown): void {
    this.#onEnd();
    for (const { reject } of this.#running.values()) reject(new Error('The thread that fetches from other registries has ended.', { cause }));
  }
}
