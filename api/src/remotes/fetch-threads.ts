// The threads that fetch what mirrors take over, so that hashing and writing their bytes keeps nobody waiting: decision 21.
// Rows are written here, where the database is.

import type { Blobs, BlobStoreOptions } from '../blobs/index.ts';
import type { Database } from '../db/index.ts';
import { errorOf } from '../errors.ts';
import type { TarballLimits } from '../tarballs/index.ts';
import type { Desk } from './fetch-messages.ts';
import { fetchRepository } from './fetch-repository.ts';
import { FetchThread } from './fetch-thread.ts';
import { createRelease, type Fetcher } from './fetch.ts';
import { createAssertRoom } from './room.ts';
import { MAX_CONNECTIONS } from './upstream-request.ts';
import type { Upstream } from './upstream.ts';

export interface FetchThreadsOptions {
  database: Database;
  blobs: Pick<Blobs, 'reserve' | 'discard' | 'uploadRows' | 'takeOver' | 'freeBytes'>;
  /** The storage of `blobs`. */
  store: BlobStoreOptions;
  limits: TarballLimits & { maxUploadBytes: number };
  /** Told of what went wrong beside the work. */
  onError: (error: unknown) => void;
}

/** Fetches from registries that a network leads to. */
export interface FetchThreads extends Fetcher<Pick<Upstream, 'access'>> {
  /** Ends the threads; what they fetch fails. */
  close(): Promise<void>;
}

/** They use up a machine with two processors, which is what was measured (decision 21). */
const MAX_THREADS = 2;
/** Orders of a thread from which on another one is worth starting: further ones would wait for a connection. */
const BUSY_LOAD = MAX_CONNECTIONS;

/** Makes threads that start when there is something to fetch, and anew when they have broken down. */
export function createFetchThreads({ database, blobs, store, limits, onError }: FetchThreadsOptions): FetchThreads {
  const fetches = fetchRepository(database.db);
  const desk: Desk = {
    rows: blobs.uploadRows,
    fetches,
    room: { assert: createAssertRoom(blobs, limits.maxUploadBytes) },
    errors: { report: async (error) => { onError(errorOf(error)); } },
  };
  const threads = new Set<FetchThread>();

  /** Gives the thread with the least to do, or a new one. */
  function next(): FetchThread {
    const idlest = [...threads].sort((a, b) => a.load - b.load)[0];
    if (idlest && (idlest.load < BUSY_LOAD || threads.size === MAX_THREADS)) return idlest;
    const started: FetchThread = new FetchThread({ data: { store, limits }, desk, onError, onEnd: () => { threads.delete(started); } });
    threads.add(started);
    return started;
  }

  return {
    async fetch({ upstream, id, format, slot, stored, isNew, signal, onBytes }) {
      signal.throwIfAborted();
      if (!upstream.access) throw new Error('No network leads to this registry.');
      const reservedKey = stored ? undefined : await blobs.reserve();
      if (reservedKey !== undefined && signal.aborted) {
        await blobs.discard(reservedKey);
        signal.throwIfAborted();
      }
      const { storageKey, ...fetched } = await next().fetch({ upstream: upstream.access, id, format, slot, stored, isNew, reservedKey }, signal, onBytes);
      const bytes = blobs.takeOver(storageKey, fetched.taken.blob);
      return {
        ...fetched,
        intake: { storageKey, adoption: bytes.adoption, settle: () => bytes.settle(), abort: () => bytes.abort(), forget: () => undefined },
      };
    },
    release: createRelease(fetches),
    async close() { await Promise.all([...threads].map((thread) => thread.close())); },
  };
}
