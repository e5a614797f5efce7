export { databaseTime } from './clock.ts';
export { createDatabase } from './database.ts';
export type { Database, DatabaseOptions, DialectName, Executor, Tx } from './database.ts';
export { DatabaseFullError, DatabaseTooNewError, DatabaseUnavailableError, TextInvalidError, toDatabaseError } from './errors.ts';
export { migrate } from './migrate.ts';
export { LIST_VERSION_SHARDS } from './schema.ts';
export type * from './schema.ts';
