// Fetching in the worker thread, so that the network, the hash, the scan and the storage of mirrors keep no request
// waiting. The database stays with the main thread: rows are written by calls to it.

import { createIngest } from '../artefacts/ingest.ts';
import type { Format, Ingested } from '../artefacts/index.ts';
import { openBlobStore, type BlobStoreOptions } from '../blobs/blobs.ts';
import type { FinishedBlob } from '../blobs/index.ts';
import { beginBlobWrite, discardBlobWrite, resumeBlobWrite, type BlobWriteRows } from '../blobs/write.ts';
import { describeError, type ErrorDescription } from '../errors.ts';
import { createOutbound, type OutboundOptions } from '../outbound/index.ts';
import { createBatcher } from '../jobs/batcher.ts';
import { createTarballScanners } from '../tarballs/scanners.ts';
import type { TarballLimits } from '../tarballs/scanner.ts';
import { createSource, type UpstreamSlot } from '../upstream/bytes.ts';
import { createUpstreamClient, type UpstreamAccess } from '../upstream/client.ts';
import { SlotMovedError } from '../upstream/errors.ts';
import type { Calls } from '../workers/index.ts';
import type { FetchId, StoredFetch } from './fetch-repository.ts';
import { createFetcher, type Fetcher } from './fetch.ts';

/** What the worker thread offers. */
export interface FetchApi {
  /** As Fetcher.fetch. @param call a number of the caller's, unique while it lasts */
  fetch(call: number, request: FetchRequest): Promise<FetchResult>;
  abortFetch(call: number): void;
}

export interface FetchRequest {
  upstream: UpstreamAccess;
  id: FetchId;
  format: Format;
  slot: UpstreamSlot;
  stored: StoredFetch | undefined;
}

/** `moved` stands for a SlotMovedError. */
export type FetchResult =
  | (Omit<Ingested, 'blob'> & {
      blob: Pick<FinishedBlob, 'storageKey' | 'digest' | 'sizeBytes'>;
      fetchedBytes: number;
    })
  | { moved: string };

/**
 * What fetching needs of the main thread: there are the rows of blobs in flight and of resumable downloads, and the
 * disk.
 */
export interface FetchMainApi extends BlobWriteRows {
  findFetch(id: FetchId): Promise<StoredFetch | undefined>;
  putFetch(id: FetchId, fetch: StoredFetch): Promise<void>;
  removeFetch(id: FetchId): Promise<void>;
  /** @throws upload_too_large, storage_full */
  assertFreeSpace(sizeBytes: number): Promise<void>;
  reportError(error: ErrorDescription): void;
  /** That so many bytes more of a call are here. */
  reportProgress(call: number, bytes: number): void;
}

/** What the worker is told at its start. */
export interface FetchSettings {
  store: BlobStoreOptions;
  limits: TarballLimits & { maxUploadBytes: number };
  outbound: OutboundOptions;
}

/** How often progress is reported. */
const PROGRESS_INTERVAL_MS = 250;

/** @throws storage errors when the store cannot be opened */
export async function createFetchApi(
  main: Calls<FetchMainApi>,
  { store: storeOptions, limits, outbound: options }: FetchSettings,
): Promise<FetchApi> {
  const aborts = new Map<number, AbortController>();
  const outbound = createOutbound(options);
  const store = await openBlobStore(storeOptions);
  const parts = { limits, scanners: createTarballScanners() };
  const fetcher: Fetcher = createFetcher({
    fetches: { find: main.findFetch, put: main.putFetch, remove: main.removeFetch },
    maxUploadBytes: limits.maxUploadBytes,
    assertFreeSpace: main.assertFreeSpace,
    onError: (error) => {
      void main.reportError.asEvent(describeError(error));
    },
    ingests: {
      begin: async (format) => createIngest(await beginBlobWrite(main, store), format, parts),
      resume: async (format, storageKey) =>
        createIngest(await resumeBlobWrite(main, store, storageKey), format, parts),
      discard: (storageKey) => discardBlobWrite(main, store, storageKey),
    },
  });

  return {
    async fetch(call, { upstream, ...request }) {
      const abort = new AbortController();
      aborts.set(call, abort);
      const progress = createBatcher<number, number>({
        add: (sum = 0, bytes) => sum + bytes,
        flush: (sum) => main.reportProgress.asEvent(call, sum),
        intervalMs: PROGRESS_INTERVAL_MS,
      });
      const source = createSource(createUpstreamClient(upstream, outbound));
      try {
        const {
          ingested: { blob, ...rest },
          fetchedBytes,
        } = await fetcher.fetch({ ...request, upstream: source, signal: abort.signal, onBytes: progress.add });
        return {
          ...rest,
          blob: { storageKey: blob.storageKey, digest: blob.digest, sizeBytes: blob.sizeBytes },
          fetchedBytes,
        };
      } catch (error) {
        if (error instanceof SlotMovedError) return { moved: error.message };
        throw error;
      } finally {
        await progress.flush();
        aborts.delete(call);
      }
    },
    abortFetch(call) {
      aborts.get(call)?.abort();
    },
  };
}
