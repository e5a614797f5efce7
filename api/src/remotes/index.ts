export { remoteRoutes } from './routes.ts';
export { createRemotes, type Remotes, type RemotesOptions } from './service.ts';
export { exportCarriage, type CarriageProgress, type CarriageSource, type ExportReport } from './carriage.ts';
export { createImport, type ImportReport } from './import.ts';
export { assertPattern, normaliseUrl } from './operations.ts';
export type { SyncProgress } from './remote.ts';
export { createUpstream } from './upstream.ts';
export { createFetchThreads } from './fetch-threads.ts';
