// A Berth as its users run it: a process of its own, on a data directory, killed or stopped by its id.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const SERVER = fileURLToPath(new URL('../../api/server.ts', import.meta.url));
const START_TIMEOUT_MS = 30_000;

/** Headers of an internal service of every Berth that is started here. */
export const INTERNAL = { 'x-secret-key': 'bench-internal-secret' };

export interface ServerProcess {
  url: string;
  pid: number;
  /** Ends it at once, as a power cut would end the process. */
  kill(): Promise<void>;
  /** Ends it by SIGTERM and resolves with its exit code. */
  stop(): Promise<number | null>;
}

/** Starts a Berth on a data directory and resolves when it is ready. */
export async function startBerth(dataDir: string, env: Record<string, string> = {}): Promise<ServerProcess> {
  const port = await freePort();
  const child = spawn(process.execPath, [SERVER], {
    env: {
      PATH: process.env.PATH, PORT: String(port), DATA_DIR: dataDir, LOG_LEVEL: 'error', SECRET_INTERNAL_SERVICES: INTERNAL['x-secret-key'],
      ADMIN_EMAIL: 'admin@localhost', ADMIN_PASSWORD: 'bench-password', ...env,
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return ready(child, `http://127.0.0.1:${port}`, '/api/health/ready');
}

/** Starts one of the peers beside this folder, which listens on the port in PORT. */
export async function startPeer(script: string, dataDir: string): Promise<ServerProcess> {
  const port = await freePort();
  const child = spawn(process.execPath, [script], { env: { PATH: process.env.PATH, PORT: String(port), DATA_DIR: dataDir }, stdio: ['ignore', 'ignore', 'inherit'] });
  return ready(child, `http://127.0.0.1:${port}`, '/');
}

/** Finds a port that nobody listens on right now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('a listening server has an address');
  return address.port;
}

async function ready(child: ChildProcess, url: string, path: string): Promise<ServerProcess> {
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!await answers(url + path)) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`the server at ${url} did not start`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  if (child.pid === undefined) throw new Error('a running process has an id');
  return {
    url,
    pid: child.pid,
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async stop() {
      child.kill('SIGTERM');
      return (await exited)[0];
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
