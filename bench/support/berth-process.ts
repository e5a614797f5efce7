// Starts the server as users run it: in its own process, on a data directory, with default settings.

import { fileURLToPath } from 'node:url';
import { freePort, startServer, type ServerProcess } from './processes.ts';

const SERVER = fileURLToPath(new URL('../../api/server.ts', import.meta.url));
const ADMIN = { email: 'admin@localhost', password: 'bench-password' };
/** Secrets that the server generates only with an embedded database. */
export const SECRETS: Record<string, string> = Object.fromEntries(
  ['API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET'].map((name) => [name, `bench ${name} of at least 32 bytes`]),
);

/** Headers of an internal service, for every server that is started here. */
export const INTERNAL = { 'x-secret-key': 'bench-internal-secret' };

/**
 * Starts a server on a data directory, on `PORT` or a free port, and resolves when it is ready.
 * @param server program of another version. Default: that of this checkout
 */
export async function startBerth(
  dataDir: string,
  env: Record<string, string> = {},
  server = SERVER,
): Promise<ServerProcess> {
  const port = env['PORT'] === undefined ? await freePort() : Number(env['PORT']);
  return startServer({
    program: process.execPath,
    // Same flag as npm start and berth serve.
    parameters: ['--max-semi-space-size=2', '--no-parallel-scavenge', server],
    env: {
      ...SECRETS,
      PORT: String(port),
      DATA_DIR: dataDir,
      SECRET_INTERNAL_SERVICES: INTERNAL['x-secret-key'],
      ADMIN_EMAIL: ADMIN.email,
      ADMIN_PASSWORD: ADMIN.password,
      ...env,
    },
    port,
    readyPath: '/api/health/ready',
  });
}

/** Signs in as the superadmin of a server that was started here, and returns the session's header. */
export async function signIn(url: string): Promise<{ cookie: string }> {
  const response = await fetch(`${url}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(ADMIN),
  });
  if (!response.ok) throw new Error(`sign-in got status ${response.status}: ${await response.text()}`);
  return {
    cookie: response.headers
      .getSetCookie()
      .map((cookie) => cookie.split(';', 1)[0])
      .join('; '),
  };
}

/** Builds the URL of a route below `/artefacts`: `artefactUrl(berth, id, 'download')`. */
export function artefactUrl({ url }: Pick<ServerProcess, 'url'>, ...parts: string[]): string {
  return [`${url}/api/v1/artefacts`, ...parts.map(encodeURIComponent)].join('/');
}
