// Runs a real server in a child process: it needs a newer Node than the library, whose tests also run on older ones.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(new URL('../../../api/server.ts', import.meta.url));
const ADMIN = { email: 'admin@example.org', password: 'correct horse battery' };

type Api = (method: string, path: string, body?: unknown) => Promise<Record<string, unknown>>;

export interface Berth {
  url: string;
  /** The secret of internal services. */
  secretKey: string;
  /** Sends JSON to a path below `/api/v1`. @throws Error on a refusal */
  asService: Api;
  asSuperadmin: Api;
  /** Stops the server, and starts it again at the same address, on its data or on none. */
  restart: (options?: { keepData: boolean }) => Promise<void>;
  close: () => Promise<void>;
}

/** Starts a server on an empty data directory and a free port, with additional settings. */
export async function startBerth(env: Record<string, string> = {}): Promise<Berth> {
  const dataDir = await mkdtemp(join(tmpdir(), 'berth-lib-node-server-'));
  const secretKey = 'internal secret of these tests, in 42 bytes';
  const start = (port = '0'): ChildProcess =>
    spawn(process.env.BERTH_TEST_NODE ?? process.execPath, [SERVER], {
      env: {
        PATH: process.env.PATH,
        PORT: port,
        DATA_DIR: dataDir,
        SECRET_INTERNAL_SERVICES: secretKey,
        ADMIN_EMAIL: ADMIN.email,
        ADMIN_PASSWORD: ADMIN.password,
        ...env,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  const stop = async (): Promise<void> => {
    const exited = once(child, 'exit');
    child.kill();
    await exited;
  };
  let child = start();
  const url = await readAddress(child);
  let session: Promise<string> | undefined;

  async function request(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: unknown,
  ): Promise<Record<string, unknown>> {
    const json =
      body === undefined
        ? {}
        : { headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(`${url}/api/v1${path}`, { method, headers, ...json });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
  }

  return {
    url,
    secretKey,
    asService: async (method, path, body) => await request(method, path, { 'x-secret-key': secretKey }, body),
    asSuperadmin: async (method, path, body) =>
      await request(method, path, { cookie: await (session ??= signIn(url)) }, body),
    restart: async ({ keepData } = { keepData: true }) => {
      await stop();
      if (!keepData) {
        await rm(dataDir, { recursive: true });
        await mkdir(dataDir);
      }
      session = undefined;
      child = start(new URL(url).port);
      await readAddress(child);
    },
    close: async () => {
      await stop();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** Reads the address from the log. Goes on reading the rest, since a full pipe would block the server. */
async function readAddress(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the child has no stdout');
  const lines = createInterface(child.stdout);
  return await new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const url = /listening at (http:[^"]+)/.exec(line)?.[1];
      if (url !== undefined) resolve(url);
    });
    lines.on('close', () => {
      reject(new Error('the server exited before it logged its address'));
    });
  });
}

async function signIn(url: string): Promise<string> {
  const response = await fetch(`${url}/api/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(ADMIN),
  });
  if (!response.ok) throw new Error(`sign-in: ${response.status} ${await response.text()}`);
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ');
}
