// A registry for tests of the client commands, and the command as a user runs it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

export const PROGRAM = join(import.meta.dirname, '../bin/berth.js');
export const ADMIN = { email: 'admin@localhost', password: 'a long pass phrase' };
export const INTERNAL_SECRET = 'internal-secret';

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}
export interface RunOptions {
  env?: Record<string, string>;
  cwd?: string;
  input?: string;
}

export interface TestRegistry {
  url: string;
  /** Folder for files, with the user's settings in `home`; removed by `stop`. */
  scratch: string;
  /** Environment of this process without variables of a CI or of Berth; npm may need the rest. */
  environment: Record<string, string | undefined>;
  /** Headers of the superadmin's session. */
  session: { cookie: string };
  /** Runs the command as a user would; `cwd` defaults to `scratch`. */
  berth(words: string[], options?: RunOptions): Promise<Outcome>;
  /** Creates an upload key. */
  uploadKey(): Promise<string>;
  /** Creates a read key of the organisation acme, which may download. */
  readKey(): Promise<string>;
  /** Makes an artefact public. */
  show(id: string): Promise<void>;
  stop(): Promise<void>;
}

/** A registry with an upload key, and the command as a pipeline runs it. */
export interface KeyedRegistry extends TestRegistry {
  key: string;
  /** Environment variables with the registry and the key. */
  withKey(): Record<string, string>;
  /** Runs a command with the key and `--json`, which must succeed, and parses its output. */
  json<T>(words: string[], options?: RunOptions): Promise<T>;
}

export async function startKeyedRegistry(): Promise<KeyedRegistry> {
  const registry = await startTestRegistry();
  const key = await registry.uploadKey();
  const withKey = () => ({ BERTH_URL: registry.url, BERTH_API_KEY: key });
  return {
    ...registry,
    key,
    withKey,
    async json<T>(words: string[], options: RunOptions = {}) {
      const { status, stdout, stderr } = await registry.berth([...words, '--json'], { env: withKey(), ...options });
      assert.equal(status, 0, stderr);
      return JSON.parse(stdout) as T;
    },
  };
}

export async function startTestRegistry(): Promise<TestRegistry> {
  const scratch = mkdtempSync(join(tmpdir(), 'berth-client-'));
  const environment = {
    ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(BERTH_|GITHUB_|CI_)/.test(name))),
    XDG_CONFIG_HOME: join(scratch, 'home/.config'),
    XDG_CACHE_HOME: join(scratch, 'home/.cache'),
  };
  const server = spawn(process.execPath, [PROGRAM, 'serve'], {
    env: {
      PATH: process.env['PATH'],
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: join(scratch, 'data'),
      SECRET_INTERNAL_SERVICES: INTERNAL_SECRET,
      ADMIN_PASSWORD: ADMIN.password,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let url = '';
  for await (const line of createInterface(server.stdout)) {
    url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? url;
    if (line.includes('Sign in as')) break;
  }
  server.stdout.resume();
  const signedIn = await fetch(`${url}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(ADMIN),
  });
  const session = {
    cookie: signedIn.headers
      .getSetCookie()
      .map((it) => it.split(';', 1)[0])
      .join('; '),
  };
  return {
    url,
    scratch,
    environment,
    session,
    async berth(words, { env = {}, cwd = scratch, input = '' } = {}) {
      const child = spawn(process.execPath, [PROGRAM, ...words], { cwd, env: { ...environment, ...env } });
      child.stdin.end(input);
      const [stdout, stderr, [status]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'exit') as Promise<[number | null]>,
      ]);
      return { status, stdout, stderr };
    },
    async uploadKey() {
      const created = await fetch(`${url}/api/v1/api-keys`, {
        method: 'POST',
        headers: { ...session, 'content-type': 'application/json' },
        body: JSON.stringify({ type: 'upload', name: 'CI' }),
      });
      return ((await created.json()) as { key: string }).key;
    },
    async readKey() {
      const owner = { type: 'organization', id: 'acme' };
      const send = (path: string, body: object) =>
        fetch(`${url}/api/v1${path}`, {
          method: 'POST',
          headers: { ...session, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
      await send('/access-grants', { account: owner });
      return ((await (await send('/api-keys', { type: 'read', name: 'reader', owner })).json()) as { key: string })
        .key;
    },
    async show(id) {
      const { status } = await fetch(`${url}/api/v1/artefacts/${encodeURIComponent(id)}`, {
        method: 'PATCH',
        headers: { 'x-secret-key': INTERNAL_SECRET, 'content-type': 'application/json' },
        body: '{"public":true}',
      });
      assert.equal(status, 200);
    },
    async stop() {
      const exited = once(server, 'exit');
      server.kill();
      await exited;
      rmSync(scratch, { recursive: true });
    },
  };
}
