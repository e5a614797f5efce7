// The composition root: creates every service from the configuration, for the server and for the command line.

import { extname, join } from 'node:path';
import { accountCleanupJob, createAccounts, type PasswordHashing } from './accounts/index.ts';
import { createApiKeys, createExpiryEvents, createExpiryNotices } from './api-keys/index.ts';
import { createArtefacts } from './artefacts/index.ts';
import { createAttemptLimit, attemptCleanupJob } from './attempts/index.ts';
import { createAuditLog } from './audit/index.ts';
import type { BackgroundApi } from './background-worker.ts';
import { createBlobs, createStorage } from './blobs/index.ts';
import { directoryOf, mailOf, oidcOf, proxiesOf, type Config } from './config/index.ts';
import { shrink, type DatabaseOptions } from './db/index.ts';
import { createEvents } from './events/index.ts';
import { createJobs } from './jobs/index.ts';
import { createMailer } from './mail/index.ts';
import { graceMs, openDatabase, openStore, storeOptions } from './open.ts';
import { createOutbound, type OutboundOptions } from './outbound/index.ts';
import { createOfflineImport, createRemotes, createWorkerFetcher } from './remotes/index.ts';
import type { Secrets } from './secrets.ts';
import { createTarballScanners } from './tarballs/index.ts';
import { createThumbnails } from './thumbnails/index.ts';
import { createReader } from './upstream/index.ts';
import { createTrustedPublisherService } from './trusted-publishers/index.ts';
import { createTusUploads } from './uploads/index.ts';
import { createWorker } from './workers/index.ts';

/** Everything that a process has opened so far, in order; closed in reverse. */
export type Opened = { close(): Promise<unknown> }[];

export interface InstanceOptions {
  /** Receives everything that is opened, also if opening fails half-way. */
  opened: Opened;
  /** Called with errors of background work. */
  onError: (error: unknown) => void;
  onQuery?: DatabaseOptions['onQuery'];
}

/** Closes everything that was opened, the last first. */
export async function closeAll(opened: Opened): Promise<void> {
  for (const it of opened.splice(0).reverse()) await it.close();
}

/** Database, storage and jobs, on which every service builds. */
export type Instance = Awaited<ReturnType<typeof openInstance>>;
export type Services = ReturnType<typeof createServices>;

/** Beside this file, with the same extension: .ts from source, .js when compiled. */
const WORKER_PROGRAM = join(import.meta.dirname, `background-worker${extname(import.meta.filename)}`);
/** A small young generation is collected often, which frees the memory of received chunks early (decision 7). */
const WORKER_YOUNG_GENERATION_MB = 1;
/** Of the thread that reads remote registries: a page of a list, and one document of it at a time, take a third. */
const READER_HEAP_MB = 48;
const READER_YOUNG_GENERATION_MB = 4;
/** Leaves most of a disk and of a core to downloads. The command line has no limit. */
const SCRUB_BYTES_PER_SECOND = 100 * 1024 * 1024;
/** Attempts with unknown keys per client network; valid keys are always accepted. */
const UNKNOWN_KEYS = { max: 60, windowMs: 60_000 };
/** Resumable uploads expire a day after their last byte, so an hour of delay does not matter. */
const EXPIRE_UPLOADS_EVERY_MS = 3_600_000;
const FORGET_TOKENS_EVERY_MS = 3_600_000;
const SHRINK_EVERY_MS = 3_600_000;
const DAY_MS = 86_400_000;

export async function openInstance(config: Config, { opened, onError, onQuery }: InstanceOptions) {
  const database = openDatabase(config, onQuery && { onQuery });
  opened.push(database);
  const store = await openStore(config);
  const jobs = createJobs({ database, onError });
  opened.push(jobs);
  return { database, store, blobs: createBlobs({ database, store }), jobs };
}

export function limitsOf(config: Config) {
  return {
    maxUploadBytes: config.MAX_UPLOAD_BYTES,
    maxUnpackedBytes: config.MAX_UNPACKED_BYTES,
    maxTarEntries: config.MAX_TAR_ENTRIES,
  };
}

export function outboundOptionsOf(config: Config): OutboundOptions {
  return {
    timeoutMs: config.REMOTE_TIMEOUT_SECONDS * 1000,
    proxies: proxiesOf(config),
    privateNetworks: config.REMOTE_PRIVATE_NETWORKS ?? [],
  };
}

/** Creates the reader of other registries, in a thread of its own. */
export function createUpstreamReader(
  config: Config,
  { opened, onError }: Pick<InstanceOptions, 'opened' | 'onError'>,
  heapMb = READER_HEAP_MB,
) {
  const options = outboundOptionsOf(config);
  const worker = createWorker<BackgroundApi>({
    program: WORKER_PROGRAM,
    data: { outbound: options, categories: config.CATEGORIES },
    resourceLimits: {
      maxOldGenerationSizeMb: heapMb,
      maxYoungGenerationSizeMb: READER_YOUNG_GENERATION_MB,
    },
    onError,
  });
  const outbound = createOutbound(options);
  opened.push(worker, outbound);
  return createReader({ worker, outbound });
}

/** Creates artefacts and thumbnails. */
export function createContentServices(
  config: Config,
  { database, blobs, jobs }: Instance,
  { opened, onError }: InstanceOptions,
) {
  const limits = limitsOf(config);
  const worker = createWorker<BackgroundApi>({
    program: WORKER_PROGRAM,
    data: { store: storeOptions(config), limits, outbound: outboundOptionsOf(config) },
    resourceLimits: { maxYoungGenerationSizeMb: WORKER_YOUNG_GENERATION_MB },
    onError,
  });
  opened.push(worker);
  const artefacts = createArtefacts({
    database,
    blobs,
    limits,
    onError,
    scanners: createTarballScanners(worker),
    categories: config.CATEGORIES,
    accelRedirectPrefix: config.ACCEL_REDIRECT_PREFIX,
  });
  opened.push(artefacts.counts);
  // Again, so that jobs are closed before the worker: running jobs still need it to clean up.
  opened.push(jobs);
  return { worker, artefacts, thumbnails: createThumbnails({ database, artefacts }) };
}

/** Creates the import of bundles. */
export function createImports(config: Config, instance: Instance, options: InstanceOptions) {
  const { artefacts, thumbnails } = createContentServices(config, instance, options);
  return createOfflineImport({
    ...instance,
    thumbnails,
    mirroring: artefacts.mirroring,
    publishing: artefacts.publishing,
    publicUrl: config.PUBLIC_URL,
    maxUploadBytes: config.MAX_UPLOAD_BYTES,
    onError: options.onError,
  });
}

/** Creates all services of a server; jobs are registered but not started. */
export function createServices(
  config: Config,
  instance: Instance,
  options: InstanceOptions & { secrets: Secrets; passwords?: PasswordHashing | undefined },
) {
  const { database, store, blobs, jobs } = instance;
  const { opened, onError, passwords, secrets } = options;
  const { PUBLIC_URL: publicUrl, CATEGORIES: categories, MAX_UPLOAD_BYTES: maxUploadBytes } = config;
  const mail = mailOf(config);
  const mailer = mail && createMailer(mail);

  const onAccountDeleted: NonNullable<Parameters<typeof createAccounts>[0]['onAccountDeleted']>[number][] = [];
  const onUserTakenOver: typeof onAccountDeleted = [];
  const accounts = createAccounts({
    database,
    publicUrl,
    mailer,
    passwords,
    onError,
    onAccountDeleted,
    onUserTakenOver,
    secret: secrets.AUTH_SECRET,
    directory: directoryOf(config),
    oidc: oidcOf(config),
  });
  opened.push(accounts);
  const apiKeys = createApiKeys({
    database,
    salt: secrets.API_KEYS_SALT,
    categories,
    accountHasGrant: accounts.hasGrant,
    onError,
  });
  opened.push(apiKeys);
  const { worker, artefacts, thumbnails } = createContentServices(config, instance, options);
  onAccountDeleted.push(apiKeys.deleteKeysOf, artefacts.edit.forgetAccount);
  onUserTakenOver.push(apiKeys.deleteKeysOf);

  const storage = createStorage({
    database,
    store,
    jobs,
    graceMs: graceMs(config),
    scrubEveryMs: config.SCRUB_EVERY_DAYS === 0 ? undefined : config.SCRUB_EVERY_DAYS * DAY_MS,
    scrubBytesPerSecond: SCRUB_BYTES_PER_SECOND,
  });
  const uploads = createTusUploads({
    database,
    publishing: artefacts.publishing,
    freeBytes: () => blobs.freeBytes(),
    maxUploadBytes,
    onError,
  });
  opened.push(uploads);
  jobs.register({
    name: 'uploads.expire',
    everyMs: EXPIRE_UPLOADS_EVERY_MS,
    makesRoom: true,
    run: () => uploads.expireUploads(),
  });
  if (database.dialect === 'sqlite')
    jobs.register({
      name: 'database.shrink',
      everyMs: SHRINK_EVERY_MS,
      run: ({ signal }) => shrink(database, { signal }),
    });
  jobs.register(attemptCleanupJob(database));
  jobs.register(accountCleanupJob(database));
  jobs.register(artefacts.counts.compaction);
  jobs.register(artefacts.renewals.documents);
  jobs.register(artefacts.renewals.scans);
  const expiryNotices = createExpiryNotices({
    database,
    mailer,
    publicUrl,
    daysBefore: config.KEY_EXPIRY_NOTICE_DAYS,
    webhookUrl: config.KEY_EXPIRY_WEBHOOK_URL,
    recipients: async () => config.NOTICE_EMAILS ?? accounts.superadminEmails(),
  });
  if (expiryNotices) jobs.register(expiryNotices);
  jobs.register(createExpiryEvents({ database, daysBefore: config.KEY_EXPIRY_NOTICE_DAYS }));
  const unknownKeys = createAttemptLimit({ database, name: 'api-key', ...UNKNOWN_KEYS });
  const trustedPublishers = createTrustedPublisherService({
    database,
    tokens: apiKeys.tokens,
    categories,
    publicUrl,
    refusals: unknownKeys,
  });
  jobs.register({
    name: 'trusted-publishers.forget',
    everyMs: FORGET_TOKENS_EVERY_MS,
    run: () => trustedPublishers.deleteExpired(),
  });
  const audit = createAuditLog({ database, retentionDays: config.AUDIT_RETENTION_DAYS });
  jobs.register(audit.pruning);
  const events = createEvents({ database, publicUrl, retentionDays: config.EVENTS_DAYS, onError });
  opened.push(events);
  jobs.register(events.pruning);
  const remotes = createRemotes({
    database,
    jobs,
    blobs,
    thumbnails,
    publicUrl,
    maxUploadBytes,
    onError,
    reader: createUpstreamReader(config, options),
    fetcher: createWorkerFetcher({ database, blobs, worker, maxUploadBytes, onError }),
    mirroring: artefacts.mirroring,
    publishing: artefacts.publishing,
    cipherPassword: secrets.CIPHER_PASSWORD,
  });
  opened.push(jobs);
  return {
    ...instance,
    accounts,
    apiKeys,
    artefacts,
    thumbnails,
    storage,
    uploads,
    unknownKeys,
    trustedPublishers,
    audit,
    events,
    remotes,
    internalSecret: secrets.SECRET_INTERNAL_SERVICES,
  };
}
