export { remoteRoutes } from './routes.ts';
export { createRemotes, type Remotes, type RemotesOptions } from './service.ts';
export {
  createOfflineImport,
  type ImportOffline,
  type OfflineImportOptions,
  type OfflineImportReport,
} from './offline-import.ts';
export type { FetchApi } from './fetch-worker.ts';
export { createWorkerFetcher } from './fetcher.ts';
export { listUnreadableKeys, markUnreadableKeys } from './lost-keys.ts';
export type { RemoteSummary } from './metrics-repository.ts';
export { normaliseUrl } from './operations.ts';
export { STATUSES, type SyncProgress } from './remote.ts';
