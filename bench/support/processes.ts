// Starts the servers of a benchmark, each in its own process on a free port. They are stopped at the latest when this
// process exits.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

const START_TIMEOUT_MS = 30_000;
const POLL_INTERVAL_MS = 10;

export interface ServerProcess extends AsyncDisposable {
  url: string;
  pid: number;
  /** Time from the start of the process to the first successful response. */
  startMs: number;
  /** Kills it with SIGKILL. */
  kill(): Promise<void>;
  /** Stops it with SIGTERM and resolves with its exit code. */
  stop(): Promise<number | null>;
}

export interface ServerCommand {
  program: string;
  parameters: string[];
  env?: Record<string, string>;
  port: number;
  /** Path that responds with 2xx once the server is ready. */
  readyPath: string;
}

/** Starts a server and resolves when it is ready. Its stdout is discarded, its stderr is shown. */
export async function startServer({
  program,
  parameters,
  env,
  port,
  readyPath,
}: ServerCommand): Promise<ServerProcess> {
  const startedAt = performance.now();
  const child = spawn(program, parameters, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = killWithThisProcess(child);
  const url = `http://127.0.0.1:${port}`;
  while (!(await isReady(url + readyPath))) {
    if (child.exitCode !== null || child.signalCode !== null || performance.now() - startedAt > START_TIMEOUT_MS) {
      child.kill('SIGKILL');
      throw new Error(`${program} ${parameters.join(' ')} did not start.`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
  const startMs = performance.now() - startedAt;
  if (child.pid === undefined) throw new Error('a running process has an id');

  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return exited;
  };
  return {
    url,
    pid: child.pid,
    startMs,
    kill: async () => {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM'),
    [Symbol.asyncDispose]: async () => {
      await end('SIGTERM');
    },
  };
}

/** Kills a child when this process exits; resolves with the child's exit code. */
export async function killWithThisProcess(child: ChildProcess): Promise<number | null> {
  const kill = () => {
    child.kill();
  };
  process.once('exit', kill);
  try {
    return ((await once(child, 'exit')) as [number | null])[0];
  } finally {
    process.off('exit', kill);
  }
}

/** Returns a port that is free at this moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('a listening server has an address');
  return address.port;
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
