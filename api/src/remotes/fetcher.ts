// Main-thread side of fetching: runs fetches in the worker thread (fetch-worker.ts) and adopts the received blobs.

import type { Blobs } from '../blobs/index.ts';
import type { Database } from '../db/index.ts';
import { errorOf } from '../errors.ts';
import { SlotChangedError, type Upstream } from '../upstream/index.ts';
import type { BackgroundWorker } from '../workers/index.ts';
import { createDiskSpaceCheck } from './disk-space.ts';
import type { FetchApi, FetchMainApi } from './fetch-worker.ts';
import { fetchRepository } from './fetch-repository.ts';
import { releaseFetched, type Fetcher } from './fetch.ts';
import { createTurns } from './turns.ts';

export interface WorkerFetcherOptions {
  database: Database;
  blobs: Pick<Blobs, 'writeRows' | 'finished' | 'freeBytes'>;
  worker: BackgroundWorker<FetchApi>;
  maxUploadBytes: number;
  /** Called with errors of background work. */
  onError: (error: unknown) => void;
}

/** Creates a fetcher that downloads over the network in the worker thread. */
export function createWorkerFetcher({
  database,
  blobs,
  worker,
  maxUploadBytes,
  onError,
}: WorkerFetcherOptions): Fetcher<Pick<Upstream, 'access'>> {
  const fetches = fetchRepository(database.db);
  const onBytesByCall = new Map<number, (bytes: number) => void>();
  const turn = createTurns();
  let lastCall = 0;
  worker.expose({
    ...blobs.writeRows,
    async endWriter(storageKey) {
      await turn();
      return blobs.writeRows.endWriter(storageKey);
    },
    findFetch: fetches.find,
    putFetch: fetches.put,
    removeFetch: fetches.remove,
    assertFreeSpace: createDiskSpaceCheck(blobs, maxUploadBytes),
    reportError: (error) => {
      onError(errorOf(error));
    },
    reportProgress: (call, bytes) => {
      onBytesByCall.get(call)?.(bytes);
    },
  } satisfies FetchMainApi);

  return {
    async fetch({ upstream, id, format, slot, storedFetch, signal, onBytes }) {
      signal.throwIfAborted();
      if (!upstream.access) throw new Error('this upstream has no network access');
      const call = ++lastCall;
      const { api, release } = worker.acquire();
      const abort = () => {
        api.abortFetch.asEvent(call).catch(() => undefined);
      };
      onBytesByCall.set(call, onBytes);
      signal.addEventListener('abort', abort);
      try {
        const result = await api.fetch(call, { upstream: upstream.access, id, format, slot, storedFetch });
        if ('slotChanged' in result) throw new SlotChangedError(result.slotChanged);
        const { fetchedBytes, blob, ...rest } = result;
        return { ingested: { ...rest, blob: blobs.finished(blob) }, fetchedBytes };
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      } finally {
        signal.removeEventListener('abort', abort);
        onBytesByCall.delete(call);
        release();
      }
    },
    release: (id, fetched) => releaseFetched(fetches, id, fetched),
  };
}
