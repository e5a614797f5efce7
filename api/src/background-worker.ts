// The program of the worker threads. One scans large uploaded tarballs and fetches the files of mirrors; another one
// reads the lists and documents of remote registries, so that only that thread ends if these exhaust its memory.

import { parentPort, workerData } from 'node:worker_threads';
import type { FetchApi, FetchMainApi, FetchSettings } from './remotes/fetch-worker.ts';
import { createScanApi, type ScanApi } from './tarballs/scan-worker.ts';
import type { ReadApi, ReadSettings } from './upstream/read-worker.ts';
import { connectRpc, type Calls } from './workers/index.ts';

export type BackgroundApi = ScanApi & FetchApi & ReadApi;

if (parentPort) {
  let fetching: Promise<FetchApi> | undefined;
  let reading: Promise<ReadApi> | undefined;
  // Loaded at the first call: a registry without mirrors does not need these modules.
  const openFetching = async () =>
    (await import('./remotes/fetch-worker.ts')).createFetchApi(main, workerData as FetchSettings);
  const openReading = async () =>
    (await import('./upstream/read-worker.ts')).createReadApi(workerData as ReadSettings);
  const read = () => (reading ??= openReading());
  const api: BackgroundApi = {
    ...createScanApi(),
    async fetch(call, request) {
      fetching ??= openFetching();
      // The storage may have been unavailable: open it again at the next fetch.
      fetching.catch(() => {
        fetching = undefined;
      });
      return (await fetching).fetch(call, request);
    },
    abortFetch(call) {
      void fetching?.then(
        (fetchApi) => {
          fetchApi.abortFetch(call);
        },
        () => undefined,
      );
    },
    readPage: async (...args) => (await read()).readPage(...args),
    readArtefact: async (...args) => (await read()).readArtefact(...args),
    readThumbnail: async (...args) => (await read()).readThumbnail(...args),
    readFileList: async (...args) => (await read()).readFileList(...args),
    readFileArtefact: async (...args) => (await read()).readFileArtefact(...args),
    abortRead(call) {
      void reading?.then((readApi) => {
        readApi.abortRead(call);
      });
    },
  };
  const main = connectRpc<FetchMainApi>(parentPort, api) as Calls<FetchMainApi>;
}
