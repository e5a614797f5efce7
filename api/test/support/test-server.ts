// A complete server in this process, on a temporary directory and a free port, for tests over real HTTP.
// combinations.ts chooses database, storage and way to sign in.

import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type BerthServer } from '../../index.ts';
import type { DialectName } from '../../src/db/index.ts';
import { signInOf, storageOf, type SignInMode, type StorageName } from './combinations.ts';
import { FAST_PASSWORDS } from './fast-passwords.ts';
import { createTestDatabaseUrl } from './postgres.ts';
import { createTestS3, type TestS3 } from './s3.ts';
import { freePort } from './free-port.ts';
import { providerPeople, providerSettings, startTestProvider } from './openid-provider.ts';
import { startTestDirectory } from './directory.ts';
import { directoryPeople } from './people.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, createTestClient, type TestClient } from './test-client.ts';

export { ADMIN_EMAIL, ADMIN_PASSWORD, signIn, type UploadForm } from './test-client.ts';
export { DIALECTS, signInOf, storageOf } from './combinations.ts';

export interface TestServerOptions {
  /** Default `sqlite`. */
  dialect?: DialectName;
  /**
   * Default: `storageOf` the dialect; `fs` if no dialect is given. With S3, downloads are not redirected unless `env`
   * enables it.
   */
  storage?: StorageName;
  /** Default: `signInOf` the dialect; `local` if no dialect is given or `env` sets PUBLIC_URL. */
  signIn?: SignInMode;
  /** An S3 root that close() keeps, so that another server can start on it. */
  s3?: TestS3;
  /** Additional settings; the defaults have log level `warn` and secrets that depend on the instance. */
  env?: Record<string, string>;
  /** A folder that close() keeps, so that another server can start on it. Default: a temporary one. */
  dataDir?: string;
}

export interface TestServer extends TestClient {
  server: BerthServer;
  dataDir: string;
  /** The S3 root of its files, if they are on S3. */
  s3: TestS3 | undefined;
  logs: string[];
  close: () => Promise<void>;
}

export async function startTestServer({
  dialect,
  env = {},
  storage = dialect ? storageOf(dialect) : 'fs',
  s3: place,
  dataDir,
  signIn = dialect && env['PUBLIC_URL'] === undefined ? signInOf(dialect) : 'local',
}: TestServerOptions = {}): Promise<TestServer> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'berth-test-')));
  const needsDatabase = dialect === 'postgres' && env['DATABASE_URL'] === undefined;
  const database = needsDatabase ? await createTestDatabaseUrl({ migrated: true }) : undefined;
  const s3 = storage === 's3' ? (place ?? (await createTestS3())) : undefined;
  const directory = signIn === 'simple-directory' ? await startTestDirectory() : undefined;
  const port = signIn === 'oidc' ? await freePort() : 0;
  const publicUrl = signIn === 'oidc' ? `http://127.0.0.1:${port}` : 'http://localhost';
  const provider = signIn === 'oidc' ? await startTestProvider(publicUrl) : undefined;
  // The same for each server of an instance, since its data depends on them.
  const instance = env['DATABASE_URL'] ?? database?.url ?? folder;
  const secret = (name: string) => createHash('sha256').update(`${name} of ${instance}`).digest('hex');
  const logs: string[] = [];
  const settings: Record<string, string> = {
    PORT: `${port}`,
    DATA_DIR: folder,
    LOG_LEVEL: 'warn',
    PUBLIC_URL: publicUrl,
    ADMIN_EMAIL,
    ADMIN_PASSWORD,
    // A body that a test leaves unread delays the shutdown by this time.
    SHUTDOWN_GRACE_SECONDS: '5',
    SECRET_INTERNAL_SERVICES: 'internal-secret',
    API_KEYS_SALT: secret('API_KEYS_SALT'),
    CIPHER_PASSWORD: secret('CIPHER_PASSWORD'),
    AUTH_SECRET: secret('AUTH_SECRET'),
    ...(database && { DATABASE_URL: database.url }),
    ...(s3 && { ...s3.env, S3_REDIRECT: 'false' }),
    ...(directory && { AUTH_MODE: 'simple-directory', DIRECTORY_URL: directory.url }),
    ...(provider && providerSettings(provider)),
    ...env,
  };
  const server = await createServer({
    env: settings,
    passwords: FAST_PASSWORDS,
    logStream: { write: (line) => void logs.push(line) },
  });
  const people = directory ? directoryPeople(directory) : provider ? providerPeople(publicUrl, provider) : undefined;
  return {
    ...createTestClient(server.address, settings['SECRET_INTERNAL_SERVICES'] ?? '', people),
    server,
    dataDir: folder,
    s3,
    logs,
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

/** Returns the settings of a server as variables, for operations on its data. */
export function envOf({ server: { config } }: Pick<TestServer, 'server'>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : String(value)]),
  );
}
