// The program of the worker thread: scans large uploaded tarballs and fetches the files of mirrors.

import { parentPort, workerData } from 'node:worker_threads';
import type { FetchApi, FetchMainApi, FetchSettings } from './remotes/fetch-worker.ts';
import { createScanApi, type ScanApi } from './tarballs/scan-worker.ts';
import { connectRpc, type Calls } from './workers/index.ts';

export type BackgroundApi = ScanApi & FetchApi;

if (parentPort) {
  let fetching: Promise<FetchApi> | undefined;
  // Loaded at the first fetch: a registry without mirrors does not need these modules.
  const open = async () =>
    (await import('./remotes/fetch-worker.ts')).createFetchApi(main, workerData as FetchSettings);
  const api: BackgroundApi = {
    ...createScanApi(),
    async fetch(call, request) {
      fetching ??= open();
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
  };
  const main = connectRpc<FetchMainApi>(parentPort, api) as Calls<FetchMainApi>;
}
