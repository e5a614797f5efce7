export { databaseUrl, directoryOf, mailOf, oidcOf, proxiesOf } from './connections.ts';
export { ConfigError, readConfig } from './read-config.ts';
export { configReference, type Config } from './schema.ts';
