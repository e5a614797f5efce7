export { batches, rowBatches } from './batches.ts';
export { versionKey } from './version-key.ts';
export { databaseTime } from './clock.ts';
export { createDatabase } from './database.ts';
export type { Database, DatabaseOptions, DialectName, Executor, Tx } from './database.ts';
export {
  DatabaseFullError,
  DatabaseTooNewError,
  DatabaseTooOldError,
  DatabaseUnavailableError,
  TextInvalidError,
  toDatabaseError,
} from './errors.ts';
export { appliedMigrations, knownMigrations, migrate, assertCurrentSchema } from './migrate.ts';
export { shrink } from './shrink.ts';
export { takeServerLock } from './server-lock.ts';
export { LIST_VERSION_SHARDS } from './schema.ts';
export { readSnapshot, streamRows } from './snapshot.ts';
export type * from './event-schema.ts';
export type * from './remote-schema.ts';
export type * from './schema.ts';
export type * from './tarball-schema.ts';
export { untilReachable } from './until-reachable.ts';
export { createUuidV7 } from './uuid-v7.ts';
