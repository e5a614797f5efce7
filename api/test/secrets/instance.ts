// An instance with everything that depends on its secrets: an API key, a session, a second factor, and the key of a
// remote registry.

import assert from 'node:assert/strict';
import { createServer, type BerthServer } from '../../index.ts';
import { FAST_PASSWORDS } from '../support/fast-passwords.ts';
import { query } from '../support/stored-state.ts';
import { ADMIN_EMAIL, ADMIN_PASSWORD, createTestClient, type TestClient } from '../support/test-client.ts';
import { startTestServer } from '../support/test-server.ts';
import { codeOf } from '../support/totp.ts';

export const INTERNAL_SECRET = 'internal-secret';
export const NAMES = ['SECRET_INTERNAL_SERVICES', 'API_KEYS_SALT', 'CIPHER_PASSWORD', 'AUTH_SECRET'] as const;
export const BOUND = NAMES.slice(1);
/** Secrets of an instance, recognisable in any output. */
export const secretsOf = (letter: string): Env =>
  Object.fromEntries(NAMES.map((name) => [name, `hush-${name}-${letter.repeat(32)}`]));

export type Env = Record<string, string>;

/** Starts a server in this process. @throws ConfigError if the start is refused */
export function start(env: Env): Promise<BerthServer> {
  const settings = { PORT: '0', PUBLIC_URL: 'http://localhost', LOG_LEVEL: 'silent', ADMIN_EMAIL, ADMIN_PASSWORD };
  return createServer({ env: { ...settings, ...env }, passwords: FAST_PASSWORDS });
}

/** Starts, and returns the message of the refusal. */
export async function refusal(env: Env): Promise<string> {
  const result = await start(env).catch((error: unknown) => error);
  if (!(result instanceof Error)) {
    await (result as BerthServer).close();
    assert.fail('the start was not refused');
  }
  assert.equal(result.name, 'ConfigError', result.stack);
  return result.message;
}

export const clientOf = ({ address }: BerthServer) => createTestClient(address, INTERNAL_SECRET);

/** The registry that instances mirror, with an artefact that only its read key shows. */
export interface Upstream {
  url: string;
  key: string;
  close(): Promise<void>;
}

export async function startUpstream(): Promise<Upstream> {
  const server = await startTestServer();
  const account = { type: 'organization', id: 'mirrors' } as const;
  const key = await server.readKey(account);
  await server.upload('chart', { format: 'file', file: new Uint8Array(3), fileName: 'chart' });
  const body = { privateAccess: [account] };
  assert.equal((await server.api('PATCH', '/artefacts/chart', { headers: server.internal, body })).status, 200);
  return { url: server.url, key, close: () => server.close() };
}

export interface Dependants {
  apiKey: string;
  keyId: string;
  /** Headers of a session. */
  session: Env;
  /** A user with a second factor. */
  email: string;
  /** Unused backup codes of that user. */
  backupCodes: string[];
  /** Path of the remote registry's routes. */
  remote: string;
}

const PASSWORD = 'second mate 2';

export async function createDependants(client: TestClient, upstream: Upstream): Promise<Dependants> {
  const session = await client.superadmin();
  const post = async (path: string, body: unknown) => {
    const response = await client.api('POST', path, { headers: session, body });
    assert.equal(response.status, 201, await response.clone().text());
    return (await response.json()) as Record<string, string>;
  };
  const key = await post('/api-keys', { type: 'upload', name: 'CI' });
  const remote = await post('/remote-registries', {
    url: upstream.url,
    name: 'up',
    apiKey: upstream.key,
    schedule: null,
  });
  const email = 'careful@example.org';
  await post('/users', { email, name: 'Careful', password: PASSWORD });
  const cookie = await signIn(client, email);
  const enabled = await auth(client, 'two-factor/enable', { password: PASSWORD }, cookie);
  const { totpURI, backupCodes } = (await enabled.json()) as { totpURI: string; backupCodes: string[] };
  const code = codeOf(new URL(totpURI).searchParams.get('secret') ?? '');
  assert.equal((await auth(client, 'two-factor/verify-totp', { code }, cookie)).status, 200);
  return {
    apiKey: key['key'] ?? '',
    keyId: key['_id'] ?? '',
    session,
    email,
    backupCodes,
    remote: `/remote-registries/${encodeURIComponent(remote['_id'] ?? '')}`,
  };
}

/** What works of the dependants. Uses up one backup code. */
export async function whatWorks(client: TestClient, dependants: Dependants, backupCode: string) {
  const { apiKey, session, email, remote } = dependants;
  const form = { format: 'file', file: new Uint8Array(1), fileName: 'x', headers: { 'x-api-key': apiKey } } as const;
  const { kind } = (await (await client.api('GET', '/session', { headers: session })).json()) as { kind: string };
  const headers = await client.superadmin();
  const listed = await client.api('GET', `${remote}/remote-artefacts`, { headers });
  const pending = await signIn(client, email);
  const verified = await auth(client, 'two-factor/verify-backup-code', { code: backupCode }, pending);
  return {
    apiKey: (await client.upload('uploaded', form)).status === 201,
    session: kind === 'user',
    secondFactor: verified.status === 200,
    remoteKey: listed.status === 200 && ((await listed.json()) as { count: number }).count === 1,
  };
}

export const ALL_WORK = { apiKey: true, session: true, secondFactor: true, remoteKey: true };

/** Signs in with the password; with a second factor, the cookies are those of the pending sign-in. */
export async function signIn(client: TestClient, email: string): Promise<string> {
  const response = await auth(client, 'sign-in/email', { email, password: PASSWORD });
  assert.equal(response.status, 200, await response.clone().text());
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ');
}

function auth({ url }: TestClient, path: string, body: unknown, cookie = ''): Promise<Response> {
  const headers = { 'content-type': 'application/json', cookie };
  return fetch(`${url}/api/auth/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
}

/** Makes the database that of a version without fingerprints. */
export function forgetFingerprints(config: { DATA_DIR: string; DATABASE_URL?: string }): Promise<unknown> {
  return query({ server: { config } }, 'delete from secret_fingerprints');
}

/** Forgets the attempts of addresses to sign in, of which only few are allowed in 10 s. */
export function forgetAttempts(config: { DATA_DIR: string; DATABASE_URL?: string }): Promise<unknown> {
  return query({ server: { config } }, 'delete from "rateLimit"');
}
