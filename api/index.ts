// Public interface of the server: createServer, serve, and the operations that the command line runs.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { PasswordHashing } from './src/accounts/index.ts';
import { createApp } from './src/app.ts';
import { readBuildInfo } from './src/build-info.ts';
import { ConfigError, configWarnings, proxiesOf, readConfig, type Config } from './src/config/index.ts';
import { LOCK_NAME, prepareDataDir } from './src/data-dir.ts';
import { migrate, takeServerLock, untilReachable } from './src/db/index.ts';
import { BerthError } from './src/errors.ts';
import {
  createHttpServer,
  createLogOutput,
  createMetrics,
  registerMetricsRoute,
  type LogStream,
  type Metrics,
  type ServerPhase,
} from './src/http/index.ts';
import { registerInstanceMetrics } from './src/instance-metrics.ts';
import { assertRestoreComplete } from './src/open.ts';
import { useProxies } from './src/outbound/index.ts';
import { acceptSecrets } from './src/secret-check.ts';
import { findSecrets } from './src/secrets.ts';
import { closeAll, createServices, openInstance, type Opened } from './src/services.ts';
import { explainStartFailure } from './src/start-failure.ts';

export { ConfigError };
export { backup, migrateDatabase, restore, scrub, sweep } from './src/maintenance.ts';
export { exportArtefacts, importArtefacts } from './src/bundle-commands.ts';
export { resetSecrets, type SecretsReport } from './src/secret-commands.ts';
export type { BackupReport, MigrateReport, OperationOptions, RestoreReport } from './src/maintenance.ts';
export type { BackupProgress, LostBlob } from './src/backup/index.ts';
export type { Finding, ScrubProgress, ScrubResult, SweepProgress, SweepResult } from './src/blobs/index.ts';

export interface BerthServer {
  app: FastifyInstance;
  config: Config;
  /** Address that the server listens on, such as `http://127.0.0.1:8080`. */
  address: string;
  /** The superadmin that this start created; `password` only when it was generated. */
  firstSuperadmin: { email: string; password?: string } | undefined;
  /** Stops accepting connections, lets requests finish for SHUTDOWN_GRACE_SECONDS, then closes everything. */
  close(): Promise<void>;
}

export interface ServerOptions {
  /** Settings by the names of docs/reference/configuration.md, such as `process.env`. */
  env: NodeJS.ProcessEnv;
  /** Destination of log lines. Default: standard output. */
  logStream?: LogStream;
  /** How passwords are hashed. Default: better-auth's scrypt, 50 ms each. */
  passwords?: PasswordHashing;
  /** How long a start retries a database that does not answer. Default 30 s. */
  databaseTimeoutMs?: number;
  /**
   * Called once when the server listens, before it answers its first request, for example to print the password of
   * `firstSuperadmin`. Requests that arrive earlier wait. An error that it throws fails the start.
   */
  onReady?: (server: Pick<BerthServer, 'config' | 'address' | 'firstSuperadmin'>) => void;
}

const DATABASE_TIMEOUT_MS = 30_000;
/** How long a start waits for a server on the same DATA_DIR that is just ending. */
const LOCK_TIMEOUT_MS = 5_000;
const END_TURN_MS = 5;
const MAX_END_TURNS = 100;

/**
 * Starts a server and resolves once it serves. A failed start closes everything and answers no request.
 * @throws ConfigError for an invalid setting, a port in use, and an unusable folder, database or bucket;
 *   database_too_new
 */
export async function createServer(options: ServerOptions): Promise<BerthServer> {
  const config = readConfig(options.env);
  const opened: Opened = [];
  try {
    return await start(config, options, opened);
  } catch (error) {
    await closeAll(opened);
    const reason = explainStartFailure(error, config);
    throw reason === undefined ? error : new ConfigError(reason, { cause: error });
  }
}

/**
 * Runs a server in this process until SIGTERM, SIGINT or SIGHUP, then exits with status 0. If the start fails, prints
 * the reason in one sentence to standard error and exits with status 1.
 * Sets the umask of the process, so that other users of this machine cannot read the files that it writes.
 */
export async function serve(env: NodeJS.ProcessEnv): Promise<void> {
  process.umask(0o077);
  const started = createServer({
    env,
    onReady(server) {
      useProxies(proxiesOf(server.config));
      announce(server);
    },
  });
  let stopped: Promise<never> | undefined;
  // Ctrl-C reaches a child of npm twice: from the terminal and from npm.
  // SIGHUP: its terminal was closed.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => {
      stopped ??= started.then((server) => server.close()).then(() => process.exit(0));
    });
  try {
    await started;
  } catch (error) {
    process.stderr.write(`Berth cannot start: ${reasonOf(error)}\n`);
    process.exit(1);
  }
}

/** The message of an error that explains itself, else the stack. */
function reasonOf(error: unknown): string {
  if (error instanceof ConfigError || error instanceof BerthError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Prints where to sign in and, at the first start, the credentials. */
function announce({ config, firstSuperadmin }: Pick<BerthServer, 'config' | 'firstSuperadmin'>): void {
  const { email, password } = firstSuperadmin ?? {};
  let instruction: string | undefined;
  if (email !== undefined) {
    const shownPassword = password === undefined ? 'in ADMIN_PASSWORD' : `${password} (shown only now)`;
    instruction = `as ${email} with the password ${shownPassword}`;
  } else if (config.AUTH_MODE === 'simple-directory') instruction = `at ${config.DIRECTORY_URL}`;
  if (instruction !== undefined)
    process.stdout.write(`\n  Berth is ready at ${config.PUBLIC_URL}\n  Sign in ${instruction}\n\n`);
}

async function start(config: Config, options: ServerOptions, opened: Opened): Promise<BerthServer> {
  const { env, logStream, passwords, databaseTimeoutMs = DATABASE_TIMEOUT_MS, onReady } = options;
  const log = logStream ?? openLogOutput(opened);
  // Closed after everything else that writes to the log.
  let logEnd = async () => {};
  opened.push({ close: () => logEnd() });
  const metrics = createMetrics();
  const exposedPaths = await prepareDataDir(config.DATA_DIR);
  if (config.DATABASE_URL === undefined) opened.push(await lockDataDir(config.DATA_DIR));
  let phase: ServerPhase = 'serving';
  const ready = Promise.withResolvers<void>();

  const shared = {
    opened,
    onQuery: metrics.onQuery,
    onError: (error: unknown) => {
      app.log.error({ err: app.limitStack(error, kindOf(error)) }, 'background work failed');
    },
  };
  const secrets = findSecrets(config);
  const instance = await openInstance(config, shared);
  const services = createServices(config, instance, { ...shared, passwords, secrets: secrets.values });
  const { database, accounts, events, jobs } = services;
  const build = readBuildInfo(env);
  registerInstanceMetrics({ metrics, dataDir: config.DATA_DIR, build, services });
  if (config.METRICS && config.METRICS_PORT !== undefined)
    opened.push(await serveMetrics(metrics, config.HOST, config.METRICS_PORT));

  const app = await createApp({
    http: {
      secure: config.PUBLIC_URL.startsWith('https:'),
      basePath: new URL(config.PUBLIC_URL).pathname.replace(/\/$/, ''),
      trustedProxies: config.TRUSTED_PROXIES,
      logLevel: config.LOG_LEVEL,
      logStream: log,
      ready: ready.promise,
    },
    publicUrl: config.PUBLIC_URL,
    frameAncestors: config.FRAME_ANCESTORS,
    build,
    ...services,
    metrics,
    serveMetrics: config.METRICS && config.METRICS_PORT === undefined,
    phaseNow: () => phase,
  });
  opened.push(app);
  for (const warning of configWarnings(env, config)) app.log.warn(`check the settings: ${warning}`);
  if (exposedPaths.length > 0)
    app.log.warn({ paths: exposedPaths }, 'other users of this machine can read these paths: restrict their mode');
  await untilReachable(database, {
    timeoutMs: databaseTimeoutMs,
    onWait: (error) => {
      app.log.warn({ err: error }, `database unavailable: retrying for ${databaseTimeoutMs / 1000} s`);
    },
  });
  await assertRestoreComplete(database);
  await migrate(database);
  await events.adopt();
  await acceptSecrets(config, database, secrets);
  database.keepReserve();
  const address = await app.listen({ port: config.PORT, host: config.HOST });
  let firstSuperadmin: BerthServer['firstSuperadmin'];
  try {
    await jobs.start();
    // After every step that can fail, since the password is shown only once; before the first request, which may be a
    // sign-in.
    firstSuperadmin = await accounts.createFirstSuperadmin({
      email: config.ADMIN_EMAIL,
      ...(config.ADMIN_PASSWORD && { password: config.ADMIN_PASSWORD }),
    });
    onReady?.({ config, address, firstSuperadmin });
  } catch (error) {
    ready.reject(error);
    throw error;
  }
  ready.resolve();

  return {
    app,
    config,
    address,
    firstSuperadmin,
    async close() {
      phase = 'stopping';
      const requests = app.requestsInProgress();
      let cut = 0;
      app.log.info({ requests }, `stopping, requests in progress: ${requests}`);
      logEnd = async () => {
        // A connection that was cut has its line a moment after the server has closed.
        for (let turn = 0; turn < MAX_END_TURNS && app.requestsInProgress() > 0; turn++) await sleep(END_TURN_MS);
        app.log.info({ cut }, `stopped, requests cut: ${cut}`);
      };
      const timer = setTimeout(() => {
        cut = app.requestsInProgress();
        app.server.closeAllConnections();
      }, config.SHUTDOWN_GRACE_SECONDS * 1000);
      // Not after the last request: another replica can then take over the jobs immediately.
      void jobs.close();
      await closeAll(opened);
      clearTimeout(timer);
    },
  };
}

/** Errors of one kind have one stack in the log, see `limitStack`. */
function kindOf(error: unknown): string | undefined {
  return error instanceof BerthError ? error.code : undefined;
}

/** Two servers with the embedded database would not know of each other's changes. @throws ConfigError */
async function lockDataDir(directory: string): Promise<{ close(): Promise<void> }> {
  // What keeps the file from being opened keeps the database from it, too, and that says what it is.
  const lock = await takeServerLock(join(directory, LOCK_NAME), LOCK_TIMEOUT_MS).catch(() => undefined);
  if (lock && 'heldBy' in lock)
    throw new ConfigError(
      `DATA_DIR (${directory}) is in use by another server (${lock.heldBy}): stop that one first, or set another ` +
        'DATA_DIR for this one.',
    );
  return lock ?? { close: async () => undefined };
}

function openLogOutput(opened: Opened): LogStream {
  const output = createLogOutput();
  opened.push(output);
  return output;
}

async function serveMetrics(metrics: Metrics, host: string, port: number): Promise<FastifyInstance> {
  const app = createHttpServer({ basePath: '', trustedProxies: ['loopback'], logLevel: 'silent' });
  registerMetricsRoute(app, metrics, () => false);
  await app.listen({ port, host });
  return app;
}
