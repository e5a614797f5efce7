// The public face of the server: createServer, and the operations that the command line runs.

import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { createAccounts } from './src/accounts/index.ts';
import { createApiKeys } from './src/api-keys/index.ts';
import { createApp, type BuildInfo } from './src/app.ts';
import { createArtefacts } from './src/artefacts/index.ts';
import { createBlobs, createFsStore } from './src/blobs/index.ts';
import { databaseUrl, readConfig, type Config } from './src/config.ts';
import { createDatabase, migrate } from './src/db/index.ts';
import { createHttpServer, createMetrics, registerMetricsRoute, type Metrics } from './src/http/index.ts';
import { resolveSecrets } from './src/secrets.ts';
import { createThumbnails } from './src/thumbnails/index.ts';

export { ConfigError } from './src/config.ts';

export interface BerthServer {
  app: FastifyInstance;
  config: Config;
  /** Where the server listens, such as `http://127.0.0.1:8080`. */
  address: string;
  /** The superadmin that this start created; `password` only when it was generated. */
  firstSuperadmin: { email: string; password?: string } | undefined;
  /** Stops accepting, lets requests in flight finish for SHUTDOWN_GRACE_SECONDS, then closes everything. */
  close(): Promise<void>;
}

export interface ServerOptions {
  /** Settings by the names of docs/reference/configuration.md, such as `process.env`. */
  env: NodeJS.ProcessEnv;
  /** Where log lines go; default the standard output. */
  logStream?: { write: (line: string) => void };
}

/**
 * Starts a server and resolves once it listens.
 * @throws ConfigError for a wrong setting; database_too_new
 */
export async function createServer({ env, logStream }: ServerOptions): Promise<BerthServer> {
  const config = readConfig(env);
  const secrets = resolveSecrets(config);
  const metrics = createMetrics();
  await mkdir(config.DATA_DIR, { recursive: true, mode: 0o700 });
  const database = createDatabase({ url: databaseUrl(config), onQuery: metrics.onQuery });
  let stopping = false;

  await migrate(database);
  const onError = (error: unknown) => { app.log.error({ err: error }, 'background work failed'); };
  const blobs = createBlobs({ database, store: createFsStore({ root: join(config.DATA_DIR, 'blobs') }) });
  const accounts = createAccounts({ database, publicUrl: config.PUBLIC_URL, secret: secrets.AUTH_SECRET });
  const apiKeys = createApiKeys({ database, salt: secrets.API_KEYS_SALT, categories: config.CATEGORIES, accountHasGrant: accounts.hasGrant, onError });
  const artefacts = createArtefacts({
    database,
    blobs,
    limits: { maxUploadBytes: config.MAX_UPLOAD_BYTES, maxUnpackedBytes: config.MAX_UNPACKED_BYTES, maxTarEntries: config.MAX_TAR_ENTRIES },
    categories: config.CATEGORIES,
    keyScopes: apiKeys.isStillValid,
    onError,
  });
  metrics.gauge('berth_slots', 'Slots of all artefacts', artefacts.read.countSlots);
  metrics.gauge('berth_blobs', 'Blobs stored', async () => (await blobs.totals()).count);
  metrics.gauge('berth_blob_bytes', 'Bytes stored in blobs', async () => (await blobs.totals()).sizeBytes);

  const app = await createApp({
    http: { basePath: new URL(config.PUBLIC_URL).pathname.replace(/\/$/, ''), trustedProxies: config.TRUSTED_PROXIES, logLevel: config.LOG_LEVEL, ...(logStream && { logStream }) },
    publicUrl: config.PUBLIC_URL,
    frameAncestors: config.FRAME_ANCESTORS,
    build: buildInfo(env),
    internalSecret: secrets.SECRET_INTERNAL_SERVICES,
    database, blobs, accounts, apiKeys, artefacts, metrics,
    thumbnails: createThumbnails({ database, artefacts }),
    serveMetrics: config.METRICS && config.METRICS_PORT === undefined,
    isStopping: () => stopping,
  });
  const firstSuperadmin = await accounts.createFirstSuperadmin({ email: config.ADMIN_EMAIL, ...(config.ADMIN_PASSWORD && { password: config.ADMIN_PASSWORD }) });
  const address = await app.listen({ port: config.PORT, host: config.HOST });
  const metricsApp = config.METRICS && config.METRICS_PORT !== undefined ? await serveMetrics(metrics, config.HOST, config.METRICS_PORT) : undefined;

  return {
    app, config, address, firstSuperadmin,
    async close() {
      stopping = true;
      const closed = app.close();
      const timer = setTimeout(() => app.server.closeAllConnections(), config.SHUTDOWN_GRACE_SECONDS * 1000);
      await closed;
      clearTimeout(timer);
      await metricsApp?.close();
      await apiKeys.close();
      await database.close();
    },
  };
}

async function serveMetrics(metrics: Metrics, host: string, port: number): Promise<FastifyInstance> {
  const app = createHttpServer({ basePath: '', trustedProxies: ['loopback'], logLevel: 'silent' });
  registerMetricsRoute(app, metrics, () => false);
  await app.listen({ port, host });
  return app;
}

/** Reads the version of the package, and what the image's build left in the environment. */
function buildInfo(env: NodeJS.ProcessEnv): BuildInfo {
  const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8')) as { version: string };
  return { version, ...(env['BERTH_COMMIT'] && { commit: env['BERTH_COMMIT'] }), ...(env['BERTH_DATE'] && { date: env['BERTH_DATE'] }) };
}
