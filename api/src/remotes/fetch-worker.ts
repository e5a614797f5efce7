// Worker-thread side of fetching: network, hashing, scanning and storage writes of mirrors do not block requests.
// Database access stays on the main thread and is called over RPC.

import { createIngest } from '../artefacts/ingest.ts';
import type { Format, IngestResult } from '../artefacts/index.ts';
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
import { SlotChangedError } from '../upstream/errors.ts';
import type { Calls } from '../workers/index.ts';
import type { FetchId, StoredFetch } from './fetch-repository.ts';
import { createFetcher, type Fetcher } from './fetch.ts';

/** Functions of the worker thread. */
export interface FetchApi {
  /** As `Fetcher.fetch`. @param call number chosen by the caller, unique among calls in flight */
  fetch(call: number, request: FetchRequest): Promise<FetchResult>;
  abortFetch(call: number): void;
}

export interface FetchRequest {
  upstream: UpstreamAccess;
  id: FetchId;
  format: Format;
  slot: UpstreamSlot;
  storedFetch: StoredFetch | undefined;
}

/** `slotChanged` is the message of a SlotChangedError. */
export type FetchResult =
  | (Omit<IngestResult, 'blob'> & {
      blob: Pick<FinishedBlob, 'storageKey' | 'digest' | 'sizeBytes'>;
      fetchedBytes: number;
    })
  | { slotChanged: string };

/** Functions of the main thread: database rows of blob writes and resumable downloads, and the disk-space check. */
export interface FetchMainApi extends BlobWriteRows {
  findFetch(id: FetchId): Promise<StoredFetch | undefined>;
  putFetch(id: FetchId, fetch: StoredFetch): Promise<void>;
  removeFetch(id: FetchId): Promise<void>;
  /** @throws upload_too_large, storage_full */
  assertFreeSpace(sizeBytes: number): Promise<void>;
  reportError(error: ErrorDescription): void;
  /** Reports additional bytes of a call. */
  reportProgress(call: number, bytes: number): void;
}

/** `workerData` of the worker thread. */
export interface FetchSettings {
  store: BlobStoreOptions;
  limits: TarballLimits & { maxUploadBytes: number };
  outbound: OutboundOptions;
}

const PROGRESS_INTERVAL_MS = 250;

/** Creates the functions of the worker thread. @throws storage errors if the store cannot be opened */
export async function createFetchApi(
  main: Calls<FetchMainApi>,
  { store: storeOptions, limits, outbound: options }: FetchSettings,
): Promise<FetchApi> {
  const aborts = new Map<number, AbortController>();
  const outbound = createOutbound(options);
  const store = await openBlobStore(storeOptions);
  const ingestOptions = { limits, scanners: createTarballScanners() };
  const fetcher: Fetcher = createFetcher({
    fetches: { find: main.findFetch, put: main.putFetch, remove: main.removeFetch },
    maxUploadBytes: limits.maxUploadBytes,
    assertFreeSpace: main.assertFreeSpace,
    onError: (error) => {
      void main.reportError.asEvent(describeError(error));
    },
    ingests: {
      begin: async (format) => createIngest(await beginBlobWrite(main, store), format, ingestOptions),
      resume: async (format, storageKey) =>
        createIngest(await resumeBlobWrite(main, store, storageKey), format, ingestOptions),
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
        if (error instanceof SlotChangedError) return { slotChanged: error.message };
        throw error;
      } finally {
        await progress.flush().catch(() => undefined);
        aborts.delete(call);
      }
    },
    abortFetch(call) {
      aborts.get(call)?.abort();
    },
  };
}
