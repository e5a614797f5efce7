// A whole Berth in this process, on a temporary directory and a free port, for tests over real HTTP.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type BerthServer } from '../../index.ts';
import type { DialectName } from '../../src/db/index.ts';
import { createTestDatabaseUrl } from './postgres.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, createTestClient, type TestClient } from './test-client.ts';

export { ADMIN_EMAIL, ADMIN_PASSWORD, signIn, type UploadForm } from './test-client.ts';
export { DIALECTS } from './test-database.ts';

export interface TestServerOptions {
  /** Default `sqlite`. */
  dialect?: DialectName;
  /** Settings beside the defaults of a test: log level `warn`, random secrets. */
  env?: Record<string, string>;
  /** Kept after close() when given, so that another server can start on it. */
  dataDir?: string;
}

export interface TestServer extends TestClient {
  server: BerthServer;
  dataDir: string;
  logs: string[];
  close: () => Promise<void>;
}

export async function startTestServer({ dialect = 'sqlite', env = {}, dataDir }: TestServerOptions = {}): Promise<TestServer> {
  const directory = dataDir ?? await mkdtemp(join(tmpdir(), 'berth-test-'));
  const database = dialect === 'postgres' && env['DATABASE_URL'] === undefined ? await createTestDatabaseUrl() : undefined;
  const secret = () => randomBytes(32).toString('hex');
  const logs: string[] = [];
  const settings: Record<string, string> = {
    PORT: '0', DATA_DIR: directory, LOG_LEVEL: 'warn', PUBLIC_URL: 'http://localhost', ADMIN_EMAIL, ADMIN_PASSWORD,
    SECRET_INTERNAL_SERVICES: 'internal-secret', API_KEYS_SALT: secret(), CIPHER_PASSWORD: secret(), AUTH_SECRET: secret(),
    ...(database && { DATABASE_URL: database.url }), ...env,
  };
  const server = await createServer({ env: settings, logStream: { write: (line) => void logs.push(line) } });
  return {
    ...createTestClient(server.address, settings['SECRET_INTERNAL_SERVICES'] ?? ''),
    server, dataDir: directory, logs,
    close: async () => {
      await server.close();
      await database?.drop();
      if (dataDir === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}
