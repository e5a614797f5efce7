export { databaseUrl, directoryOf, mailOf, oidcOf, proxiesOf } from './connections.ts';
export { ConfigError } from './config-error.ts';
export { fileReason } from './config-file.ts';
export { readConfig } from './read-config.ts';
export { configReference, type Config } from './schema.ts';
export { configWarnings } from './warnings.ts';
