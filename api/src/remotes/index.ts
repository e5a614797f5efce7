export { remoteRoutes } from './routes.ts';
export { createRemotes, type Remotes, type RemotesOptions } from './service.ts';
