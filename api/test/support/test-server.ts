// A whole Berth in this process, on a temporary directory and a free port, for tests over real HTTP.

import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type BerthServer } from '../../index.ts';
import type { DialectName } from '../../src/db/index.ts';
import { createTestDatabaseUrl } from './postgres.ts';

export { DIALECTS } from './test-database.ts';

export interface TestServerOptions {
  /** Default `sqlite`. */
  dialect?: DialectName;
  /** Settings beside the defaults of a test: log level `warn`, random secrets. */
  env?: Record<string, string>;
  /** Kept after close() when given, so that another server can start on it. */
  dataDir?: string;
}

export interface UploadForm {
  format?: 'npm' | 'file';
  file?: Uint8Array;
  fileName?: string;
  fields?: Record<string, string>;
  headers?: Record<string, string>;
}

export interface TestServer {
  server: BerthServer;
  /** Such as `http://127.0.0.1:40123`. */
  url: string;
  dataDir: string;
  logs: string[];
  /** Headers of an internal service. */
  internal: Record<string, string>;
  /** Headers of the first superadmin's session; he signs in at the first call. */
  superadmin: () => Promise<Record<string, string>>;
  /** Requests a path below `/api/v1`; an object as body is sent as JSON. */
  api: (method: string, path: string, options?: { headers?: Record<string, string>; body?: unknown }) => Promise<Response>;
  /** Uploads as an internal service unless other headers are given. */
  upload: (id: string, form: UploadForm) => Promise<Response>;
  /** Creates an upload key and returns it raw. */
  uploadKey: (scopes?: Record<string, string>) => Promise<string>;
  /** Grants an account access (if it has none) and returns a raw read key of it. */
  readKey: (owner: { type: 'user' | 'organization'; id: string; department?: string }) => Promise<string>;
  close: () => Promise<void>;
}

export const ADMIN_EMAIL = 'admin@example.org';
export const ADMIN_PASSWORD = 'correct horse battery';

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
  const internal = { 'x-secret-key': settings['SECRET_INTERNAL_SERVICES'] ?? '' };
  let session: Promise<Record<string, string>> | undefined;

  const api: TestServer['api'] = (method, path, { headers = {}, body } = {}) => fetch(`${server.address}/api/v1${path}`, {
    method, redirect: 'manual',
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const superadmin = () => session ??= signIn(server.address, ADMIN_EMAIL, ADMIN_PASSWORD);
  const created = async (path: string, body: unknown): Promise<Record<string, unknown>> => {
    const response = await api('POST', path, { headers: await superadmin(), body });
    if (response.status !== 201) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
    return await response.json() as Record<string, unknown>;
  };

  return {
    server, url: server.address, dataDir: directory, logs, internal, superadmin, api,
    upload: (id, { format = 'npm', file, fileName = 'plugin.tgz', fields = {}, headers = internal }) => {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.set(name, value);
      if (file) form.set('file', new Blob([file]), fileName);
      return fetch(`${server.address}/api/v1/artefacts/${format}/${encodeURIComponent(id)}`, { method: 'POST', headers, body: form });
    },
    uploadKey: async (scopes = {}) => (await created('/api-keys', { type: 'upload', name: 'CI', ...scopes }))['key'] as string,
    readKey: async (owner) => {
      await api('POST', '/access-grants', { headers: internal, body: { account: owner } });
      return (await created('/api-keys', { type: 'read', name: 'reader', owner }))['key'] as string;
    },
    close: async () => {
      await server.close();
      await database?.drop();
      if (dataDir === undefined) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Signs in and returns the headers of the session. */
export async function signIn(url: string, email: string, password: string): Promise<Record<string, string>> {
  const response = await fetch(`${url}/api/auth/sign-in/email`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ email, password }) });
  if (!response.ok) throw new Error(`sign-in of ${email}: ${response.status} ${await response.text()}`);
  return { cookie: response.headers.getSetCookie().map((cookie) => cookie.split(';', 1)[0]).join('; ') };
}
