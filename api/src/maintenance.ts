// Maintenance operations of the command line: backup, restore, migration, garbage collection, integrity check. Each
// opens the configured database and storage, works on them with or without a running server, and closes them.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  checkBackup,
  restoreBackup,
  writeBackup,
  type BackupProgress,
  type LostBlob,
  type Manifest,
} from './backup/index.ts';
import {
  createStorage,
  SWEEP_JOB,
  type ScrubProgress,
  type ScrubResult,
  type Storage,
  type SweepProgress,
  type SweepResult,
} from './blobs/index.ts';
import { readBuildInfo } from './build-info.ts';
import { ConfigError, readConfig, type Config } from './config/index.ts';
import { prepareDataDir, restrictToOwner } from './data-dir.ts';
import { appliedMigrations, migrate, assertCurrentSchema, type Database } from './db/index.ts';
import { fingerprintRepository } from './fingerprints/index.ts';
import { recordRun, type Jobs } from './jobs/index.ts';
import { BACKUP_RUN, graceMs, assertRestoreComplete, requireInstance } from './open.ts';
import { restoreSecrets, secretsForBackup } from './secrets.ts';
import { closeAll, openInstance, type Instance, type InstanceOptions } from './services.ts';
import { explainStartFailure } from './start-failure.ts';

export interface OperationOptions {
  /** Called with every step, without throttling. */
  onProgress?: ((progress: BackupProgress) => void) | undefined;
  /** Cancels the operation, which then throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** How often a backup checks whether a running sweep has released its lease. */
const LEASE_POLL_MS = 500;

/** Contents of a backup, and the blobs that it lacks. */
export interface BackupSummary {
  /** Absolute path. */
  directory: string;
  berthVersion: string;
  createdAt: string;
  /** Number of rows by table. */
  rows: Record<string, number>;
  blobs: { count: number; sizeBytes: number };
  lost: LostBlob[];
  secrets: Pick<Manifest['secrets'], 'included' | 'leftOut'>;
}

export interface BackupReport extends BackupSummary {
  blobs: { count: number; sizeBytes: number; copied: number; kept: number; removed: number };
}

export interface RestoreReport extends BackupSummary {
  blobs: { count: number; sizeBytes: number; restored: number; kept: number };
}

export interface MigrateReport {
  /** Migrations that this call ran, in order. */
  migrated: string[];
}

/**
 * Copies the instance into a folder, see `writeBackup`.
 * @param env settings, such as `process.env`
 * @throws ConfigError; restore_incomplete; and what `writeBackup` throws
 */
export async function backup(
  env: NodeJS.ProcessEnv,
  directory: string,
  { verify = false, ...options }: OperationOptions & { verify?: boolean } = {},
): Promise<BackupReport> {
  const config = readConfig(env);
  requireInstance(config);
  return withInstance(config, async ({ database, blobs, jobs }) => {
    await assertOwnSchema(database);
    // An earlier backup that was copied here may be readable by others; its snapshot is replaced anyway.
    await restrictToOwner(['manifest.json', 'blobs'].map((name) => join(directory, name)));
    const result = await withoutSweep(jobs, options, (signal, token) =>
      recordRun(database, { name: BACKUP_RUN, token, signal }, async () =>
        writeBackup({
          ...options,
          signal,
          database,
          blobs,
          directory,
          verify,
          berthVersion: readBuildInfo(env).version,
          secrets: secretsForBackup(config, await fingerprintRepository(database.db).list()),
        }),
      ),
    );
    const summary = summarise(result.directory, result.manifest);
    return { ...summary, blobs: { ...summary.blobs, ...result.blobs } };
  });
}

/**
 * Restores a backup and its secrets into an empty instance, or copies its blobs ahead; see `restoreBackup`.
 * @param env settings of the new instance
 * @throws ConfigError; and what `restoreBackup` throws
 */
export async function restore(
  env: NodeJS.ProcessEnv,
  directory: string,
  options: OperationOptions & { allowLost?: boolean; blobsOnly?: boolean } = {},
): Promise<RestoreReport> {
  const config = readConfig(env);
  const checked = await checkBackup(directory);
  return withInstance(config, async ({ database, store }) => {
    restoreSecrets(config, checked);
    const { blobs, lost, ...result } = await restoreBackup({ ...options, database, store, directory });
    const summary = summarise(result.directory, result.manifest);
    return { ...summary, blobs: { ...summary.blobs, restored: blobs.restored, kept: blobs.kept }, lost };
  });
}

/**
 * Migrates the database to this program's schema, as every start of the server does.
 * @throws ConfigError; restore_incomplete; database_too_new
 */
export async function migrateDatabase(env: NodeJS.ProcessEnv): Promise<MigrateReport> {
  return withInstance(readConfig(env), async ({ database }) => {
    await assertRestoreComplete(database);
    const before = await appliedMigrations(database.db);
    await migrate(database);
    return { migrated: (await appliedMigrations(database.db)).filter((name) => !before.includes(name)) };
  });
}

/**
 * Runs garbage collection in this process, with or without a running server.
 *
 * @param env settings by the names of docs/reference/configuration.md
 * @param options `dryRun` only reports the digests that would be deleted; `signal` cancels, throwing its reason
 * @throws ConfigError; job_running while another process sweeps or makes a backup; storage_unavailable,
 *   database_unavailable
 */
export function sweep(
  env: NodeJS.ProcessEnv,
  {
    signal,
    ...options
  }: { dryRun?: boolean; onProgress?: (progress: SweepProgress) => void; signal?: AbortSignal } = {},
): Promise<SweepResult> {
  return withStorage(env, signal, (storage) => storage.sweep(options));
}

/**
 * Runs the integrity check in this process, with or without a running server: reads every blob and reports damaged and
 * missing ones. Continues where an interrupted check stopped.
 *
 * @throws as `sweep`
 */
export function scrub(
  env: NodeJS.ProcessEnv,
  { signal, ...options }: { onProgress?: (progress: ScrubProgress) => void; signal?: AbortSignal } = {},
): Promise<ScrubResult> {
  return withStorage(env, signal, (storage) => storage.scrub(options));
}

/** Opens the configured instance for `work`, and closes it afterwards, also after an error. */
export async function withInstance<T>(
  config: Config,
  work: (instance: Instance, options: InstanceOptions) => Promise<T>,
): Promise<T> {
  const options: InstanceOptions = { opened: [], onError: () => undefined };
  try {
    await prepareDataDir(config.DATA_DIR);
    return await work(await openInstance(config, options), options);
  } catch (error) {
    const reason = explainStartFailure(error, config);
    throw reason === undefined ? error : new ConfigError(reason, { cause: error });
  } finally {
    await closeAll(options.opened).catch(() => undefined);
  }
}

async function withStorage<T>(
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
  work: (storage: Storage) => Promise<T>,
): Promise<T> {
  const config = readConfig(env);
  requireInstance(config);
  return withInstance(config, async ({ database, store, jobs }) => {
    await assertOwnSchema(database);
    const stop = () => void jobs.close();
    signal?.addEventListener('abort', stop);
    try {
      return await work(createStorage({ database, store, jobs, graceMs: graceMs(config) }));
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  });
}

/**
 * Asserts that the restore is complete and the schema is this program's. Migrates nothing, since a server of another
 * version may be running.
 * @throws restore_incomplete, database_too_new, database_too_old
 */
export async function assertOwnSchema(database: Database): Promise<void> {
  await assertRestoreComplete(database);
  await assertCurrentSchema(database.db);
}

/** Runs `work` under the sweep's lease, so that no blob is deleted meanwhile. Waits for a running sweep or backup. */
async function withoutSweep<T>(
  { leases }: Jobs,
  { onProgress, signal }: OperationOptions,
  work: (signal: AbortSignal, token: number) => Promise<T>,
): Promise<T> {
  let lease = await leases.acquire(SWEEP_JOB);
  while (!lease) {
    onProgress?.({ phase: 'waiting', done: 0 });
    await sleep(LEASE_POLL_MS, undefined, signal && { signal });
    lease = await leases.acquire(SWEEP_JOB);
  }
  try {
    return await work(signal ? AbortSignal.any([signal, lease.signal]) : lease.signal, lease.fencingToken);
  } finally {
    // It expires by itself.
    await lease.release().catch(() => undefined);
  }
}

function summarise(directory: string, { berthVersion, createdAt, tables, blobs, secrets }: Manifest): BackupSummary {
  return {
    directory,
    berthVersion,
    createdAt,
    rows: Object.fromEntries(tables.map(({ name, rows }) => [name, rows])),
    blobs: { count: blobs.count, sizeBytes: blobs.sizeBytes },
    lost: blobs.lost,
    secrets: { included: secrets.included, leftOut: secrets.leftOut },
  };
}
