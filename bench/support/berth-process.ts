// A Berth as its users run it: a process of its own, on a data directory, with its default settings.

import { fileURLToPath } from 'node:url';
import { freePort, startServer, type ServerProcess } from './processes.ts';

const SERVER = fileURLToPath(new URL('../../api/server.ts', import.meta.url));
const ADMIN = { email: 'admin@localhost', password: 'bench-password' };
/** What a Berth generates for itself only beside an embedded database. */
export const SECRETS: Record<string, string> = Object.fromEntries(
  ['API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET'].map((name) => [name, `bench ${name} of 32 bytes and more`]),
);

/** Headers of an internal service of every Berth that is started here. */
export const INTERNAL = { 'x-secret-key': 'bench-internal-secret' };

/** Starts a Berth on a data directory, on a free port if `PORT` names none, and resolves when it is ready. */
export async function startBerth(dataDir: string, env: Record<string, string> = {}): Promise<ServerProcess> {
  const port = env['PORT'] === undefined ? await freePort() : Number(env['PORT']);
  return startServer({
    program: process.execPath,
    // As npm start and berth serve do.
    parameters: ['--max-semi-space-size=2', SERVER],
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

/** Signs in as the superadmin of a Berth that was started here, and returns the header of that session. */
export async function signIn(url: string): Promise<{ cookie: string }> {
  const response = await fetch(`${url}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(ADMIN),
  });
  if (!response.ok) throw new Error(`signing in was answered with ${response.status}: ${await response.text()}`);
  return {
    cookie: response.headers
      .getSetCookie()
      .map((cookie) => cookie.split(';', 1)[0])
      .join('; '),
  };
}

/** URL of a route below `/artefacts`, from the parts of its path: `artefactUrl(berth, id, 'download')`. */
export function artefactUrl({ url }: Pick<ServerProcess, 'url'>, ...parts: string[]): string {
  return [`${url}/api/v1/artefacts`, ...parts.map(encodeURIComponent)].join('/');
}
