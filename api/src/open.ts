// Opens the configured database and storage, for the server and for the command line.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isRestoreIncomplete, RestoreIncompleteError } from './backup/index.ts';
import { MAX_S3_BLOB_BYTES, openBlobStore, type BlobStore, type BlobStoreOptions } from './blobs/index.ts';
import { ConfigError, databaseUrl, type Config } from './config/index.ts';
import { RESERVE_NAME } from './data-dir.ts';
import { createDatabase, type Database, type DatabaseOptions } from './db/index.ts';

/** Opens the database; creates a missing SQLite file. */
export function openDatabase(config: Config, options: Omit<DatabaseOptions, 'url'> = {}): Database {
  return createDatabase({
    url: databaseUrl(config),
    poolSize: config.DATABASE_POOL_SIZE,
    reserve: join(config.DATA_DIR, RESERVE_NAME),
    ...options,
  });
}

/** Returns the options of the configured storage. @throws ConfigError if MAX_UPLOAD_BYTES exceeds the limit of S3 */
export function storeOptions(config: Config): BlobStoreOptions {
  if (config.FILES_STORAGE === 'fs') return { kind: 'fs', root: join(config.DATA_DIR, 'blobs') };
  if (config.MAX_UPLOAD_BYTES > MAX_S3_BLOB_BYTES)
    throw new ConfigError(
      `MAX_UPLOAD_BYTES is ${config.MAX_UPLOAD_BYTES}, but S3 accepts at most ${MAX_S3_BLOB_BYTES} bytes per upload.`,
    );
  return {
    kind: 's3',
    ...(config.S3_ENDPOINT !== undefined && { endpoint: config.S3_ENDPOINT }),
    region: config.S3_REGION,
    bucket: config.S3_BUCKET ?? '',
    root: `${config.S3_ROOT_DIR ?? ''}/blobs`.replace(/^\//, ''),
    ...(config.S3_ACCESS_KEY_ID !== undefined && {
      keys: { accessKeyId: config.S3_ACCESS_KEY_ID, secretAccessKey: config.S3_SECRET_ACCESS_KEY ?? '' },
    }),
    forcePathStyle: config.S3_FORCE_PATH_STYLE,
    checksums: config.S3_CHECKSUMS,
    ...(config.S3_REDIRECT && { linkExpirySeconds: config.S3_DOWNLOAD_URL_EXPIRY_SECONDS }),
  };
}

/**
 * Opens the configured storage; creates a missing folder.
 * @throws as `storeOptions`; storage_unavailable if Berth cannot write there
 */
export async function openStore(config: Config): Promise<BlobStore> {
  const options = storeOptions(config);
  const store = await openBlobStore(options);
  // Opening a folder has just checked it.
  if (options.kind !== 'fs') await store.check();
  return store;
}

/** The name under which backups are recorded among the jobs. */
export const BACKUP_RUN = 'backup.write';

/** How long unreferenced data is kept. */
export function graceMs(config: Config): number {
  return config.GC_GRACE_HOURS * 3_600_000;
}

/** Asserts that the configured instance exists, since opening would create an empty one. @throws ConfigError */
export function requireInstance(config: Config): void {
  if (config.DATABASE_URL === undefined && !existsSync(databaseUrl(config))) {
    throw new ConfigError(
      `DATA_DIR (${config.DATA_DIR}) contains no berth.db. Set DATA_DIR to the folder of the instance, or set ` +
        'DATABASE_URL.',
    );
  }
}

/** @throws restore_incomplete */
export async function assertRestoreComplete(database: Database): Promise<void> {
  if (await isRestoreIncomplete(database))
    throw new RestoreIncompleteError(
      'The restore into this database and storage is not complete. Run berth restore with the same backup or a ' +
        'newer one, or start over with an empty database and storage.',
    );
}
