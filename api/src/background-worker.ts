// The worker thread: it scans the large tarballs of uploads, and fetches what mirrors take over.

import { parentPort, workerData } from 'node:worker_threads';
import type { FetchApi, FetchMainApi, FetchSettings } from './remotes/fetch-worker.ts';
import { createScanApi, type ScanApi } from './tarballs/scan-worker.ts';
import { connectRpc, type Calls } from './workers/index.ts';

export type BackgroundApi = ScanApi & FetchApi;

if (parentPort) {
  let fetching: Promise<FetchApi> | undefined;
  // What fetching needs is loaded when there is something to fetch.
  const open = async () =>
    (await import('./remotes/fetch-worker.ts')).createFetchApi(main, workerData as FetchSettings);
  const api: BackgroundApi = {
    ...createScanApi(),
    async fetch(call, request) {
      fetching ??= open();
      // A storage that was away is tried again.
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
