// One thread that fetches what mirrors take over, so that hashing and writing their bytes keeps nobody waiting: decision 21.
// Rows are written here, where the database is.

import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Blobs, BlobStoreOptions } from '../blobs/index.ts';
import type { Database } from '../db/index.ts';
import { describeError, errorOf } from '../errors.ts';
import type { TarballLimits } from '../tarballs/index.ts';
import { SlotMovedError } from './errors.ts';
import type { Desk, FetchReport, FetchRequest, FetchThreadData, ToldFetched } from './fetch-messages.ts';
import { fetchRepository } from './fetch-repository.ts';
import { createRelease, type FetchOrder, type Fetcher } from './fetch.ts';
import { createAssertRoom } from './room.ts';
import type { Upstream } from './upstream.ts';

export interface FetchThreadOptions {
  database: Database;
  blobs: Pick<Blobs, 'reserve' | 'discard' | 'uploadRows' | 'takeOver' | 'freeBytes'>;
  /** The storage of `blobs`. */
  store: BlobStoreOptions;
  limits: TarballLimits & { maxUploadBytes: number };
  /** Told of what went wrong beside the work. */
  onError: (error: unknown) => void;
}

/** Fetches from registries that a network leads to. */
export interface FetchThread extends Fetcher<Pick<Upstream, 'access'>> {
  /** Ends the thread; what it fetches fails. */
  close(): Promise<void>;
}

/** Beside this file, in the language in which it runs. */
const PROGRAM = join(import.meta.dirname, `fetch-worker${extname(import.meta.filename)}`);

interface Running extends PromiseWithResolvers<ToldFetched> { onBytes: (count: number) => void }

/** Makes a thread that starts with its first fetch, and anew with the next one when it has broken down. */
export function createFetchThread({ database, blobs, store, limits, onError }: FetchThreadOptions): FetchThread {
  const fetches = fetchRepository(database.db);
  const assertRoom = createAssertRoom(blobs, limits.maxUploadBytes);
  const desk: Desk = {
    rows: blobs.uploadRows,
    fetches,
    room: { assert: assertRoom },
    errors: { report: async (error) => { onError(errorOf(error)); } },
  };
  const running = new Map<number, Running>();
  let worker: Worker | undefined;
  let lastId = 0;

  function start(): Worker {
    const workerData: FetchThreadData = { store, limits };
    const started = new Worker(PROGRAM, { execArgv: [], workerData });
    started.on('message', (report: FetchReport) => { take(started, report); });
    started.on('error', (error) => {
      onError(error);
      lose(started, error);
    });
    started.on('exit', () => { lose(started); });
    return started;
  }

  function send(thread: Worker, request: FetchRequest): void { thread.postMessage(request); }

  function take(thread: Worker, report: FetchReport): void {
    switch (report.type) {
      case 'call':
        void answer(thread, report);
        break;
      case 'bytes':
        running.get(report.fetch)?.onBytes(report.count);
        break;
      case 'done':
        running.get(report.fetch)?.onBytes(report.count);
        running.get(report.fetch)?.resolve(report.fetched);
        break;
      case 'failed':
        running.get(report.fetch)?.onBytes(report.count);
        running.get(report.fetch)?.reject(report.moved ? new SlotMovedError(report.error.message) : errorOf(report.error));
    }
  }

  async function answer(thread: Worker, { call, part, method, args }: FetchReport & { type: 'call' }): Promise<void> {
    try {
      const methods = desk[part] as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
      send(thread, { type: 'answer', call, value: await methods[method]?.(...args) });
    } catch (error) {
      send(thread, { type: 'refusal', call, error: describeError(error) });
    }
  }

  function lose(lost: Worker, cause?: unknown): void {
    if (worker !== lost) return;
    worker = undefined;
    for (const { reject } of running.values()) reject(new Error('The thread that fetches from other registries has ended.', { cause }));
  }

  async function fetch({ upstream, id, format, slot, stored, isNew, signal, onBytes }: FetchOrder<Pick<Upstream, 'access'>>) {
    signal.throwIfAborted();
    if (!upstream.access) throw new Error('No network leads to this registry.');
    const reservedKey = stored ? undefined : await blobs.reserve();
    if (reservedKey !== undefined && signal.aborted) {
      await blobs.discard(reservedKey);
      signal.throwIfAborted();
    }
    const thread = worker ??= start();
    const number = ++lastId;
    const fetching = { ...Promise.withResolvers<ToldFetched>(), onBytes };
    const abort = () => { send(thread, { type: 'abort', fetch: number }); };
    running.set(number, fetching);
    // Holds the process only while something is fetched.
    thread.ref();
    signal.addEventListener('abort', abort);
    try {
      send(thread, { type: 'fetch', fetch: number, order: { upstream: upstream.access, id, format, slot, stored, isNew, reservedKey } });
      const { storageKey, ...fetched } = await fetching.promise;
      const bytes = blobs.takeOver(storageKey, fetched.taken.blob);
      const intake = { storageKey, adoption: bytes.adoption, settle: () => bytes.settle(), abort: () => bytes.abort(), forget: () => undefined };
      return { intake, ...fetched };
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    } finally {
      signal.removeEventListener('abort', abort);
      running.delete(number);
      if (running.size === 0) thread.unref();
    }
  }

  return {
    fetch,
    release: createRelease(fetches),
    async close() {
      const ending = worker;
      if (!ending) return;
      lose(ending);
      await ending.terminate();
    },
  };
}
