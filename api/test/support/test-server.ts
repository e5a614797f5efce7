// A whole Berth in this process, on a temporary directory and a free port, for tests over real HTTP. Of the combinations of database,
// storage and way to sign in a run takes two: SQLite with files and users of its own, PostgreSQL with S3 and an identity service;
// `npm run test:full` takes others as well.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type BerthServer } from '../../index.ts';
import type { DialectName } from '../../src/db/index.ts';
import { createTestDatabaseUrl } from './postgres.ts';
import { createTestS3, type TestS3 } from './s3.ts';
import { freePort } from './free-port.ts';
import { providerPeople, providerSettings, startTestProvider } from './openid-provider.ts';
import { startTestDirectory } from './directory.ts';
import { directoryPeople } from './people.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, createTestClient, type TestClient } from './test-client.ts';

export { ADMIN_EMAIL, ADMIN_PASSWORD, signIn, type UploadForm } from './test-client.ts';
export { DIALECTS } from './test-database.ts';

export type StorageName = 'fs' | 's3';
export type SignInMode = 'local' | 'simple-directory' | 'oidc';

/** All four, for what depends on both; everything else runs on DIALECTS, each with its `storageOf`. */
export const BACKENDS = (['sqlite', 'postgres'] as const).flatMap((dialect) => (['fs', 's3'] as const).map((storage) => ({ dialect, storage })));

/** The storage that goes with a database in this run. */
export function storageOf(dialect: DialectName): StorageName {
  const isCrossed = process.env.BERTH_TEST_BACKENDS === 'crossed';
  return (dialect === 'postgres') === isCrossed ? 'fs' : 's3';
}

/** The way to sign in that goes with a database in this run, for tests to which it makes no difference. */
export function signInOf(dialect: DialectName): SignInMode {
  const isCrossed = process.env.BERTH_TEST_BACKENDS === 'crossed';
  if (dialect === 'sqlite') return isCrossed ? 'oidc' : 'local';
  return isCrossed ? 'local' : 'simple-directory';
}

export interface TestServerOptions {
  /** Default `sqlite`. */
  dialect?: DialectName;
  /** Default `storageOf` the dialect, files where none is named. From S3 all bytes come by way of the server unless `env` says otherwise. */
  storage?: StorageName;
  /** Default `signInOf` the dialect, `local` where none is named or `env` says where users reach the server. */
  signIn?: SignInMode;
  /** Place on S3 that is kept after close(), so that another server can start on it. */
  s3?: TestS3;
  /** Settings beside the defaults of a test: log level `warn`, random secrets. */
  env?: Record<string, string>;
  /** Kept after close() when given, so that another server can start on it. */
  dataDir?: string;
}

export interface TestServer extends TestClient {
  server: BerthServer;
  dataDir: string;
  /** Where its files are when they are on S3. */
  s3: TestS3 | undefined;
  logs: string[];
  close: () => Promise<void>;
}

export async function startTestServer({ dialect, env = {}, storage = dialect ? storageOf(dialect) : 'fs', signIn = dialect && env['PUBLIC_URL'] === undefined ? signInOf(dialect) : 'local', s3: place, dataDir }: TestServerOptions = {}): Promise<TestServer> {
  const folder = dataDir ?? await mkdtemp(join(tmpdir(), 'berth-test-'));
  const database = dialect === 'postgres' && env['DATABASE_URL'] === undefined ? await createTestDatabaseUrl() : undefined;
  const s3 = storage === 's3' ? place ?? await createTestS3() : undefined;
  const directory = signIn === 'simple-directory' ? await startTestDirectory() : undefined;
  const port = signIn === 'oidc' ? await freePort() : 0;
  const publicUrl = signIn === 'oidc' ? `http://127.0.0.1:${port}` : 'http://localhost';
  const provider = signIn === 'oidc' ? await startTestProvider(publicUrl) : undefined;
  const secret = () => randomBytes(32).toString('hex');
  const logs: string[] = [];
  const settings: Record<string, string> = {
    PORT: `${port}`, DATA_DIR: folder, LOG_LEVEL: 'warn', PUBLIC_URL: publicUrl, ADMIN_EMAIL, ADMIN_PASSWORD,
    SECRET_INTERNAL_SERVICES: 'internal-secret', API_KEYS_SALT: secret(), CIPHER_PASSWORD: secret(), AUTH_SECRET: secret(),
    ...(database && { DATABASE_URL: database.url }), ...(s3 && { ...s3.env, S3_REDIRECT: 'false' }), ...(directory && { AUTH_MODE: 'simple-directory', DIRECTORY_URL: directory.url }), ...(provider && providerSettings(provider)), ...env,
  };
  const server = await createServer({ env: settings, logStream: { write: (line) => void logs.push(line) } });
  return {
    ...createTestClient(server.address, settings['SECRET_INTERNAL_SERVICES'] ?? '', directory ? directoryPeople(directory) : provider ? providerPeople(publicUrl, provider) : undefined),
    server, dataDir: folder, s3, logs,
    close: async () => {
      await server.close();
      await directory?.stop();
      await provider?.stop();
      await database?.drop();
      if (s3 !== place) await s3?.remove();
      if (dataDir === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}
