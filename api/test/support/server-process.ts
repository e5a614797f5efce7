// A server in its own process, for tests that kill or limit it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

export interface ServerProcess {
  /** Such as `http://127.0.0.1:40123`. */
  url: string;
  pid: number;
  isRunning(): boolean;
  /** Kills it (SIGKILL), and returns its log. */
  stop(): Promise<string>;
  /** Shuts it down (SIGTERM), and returns its exit status. */
  terminate(): Promise<number | null>;
}

export interface ServerProcessOptions {
  env: Record<string, string>;
  /** Shell commands that run first, in the same process: `ulimit -f 8192`. */
  limits?: string;
  /** Program, with parameters, that executes the shell: `OWN_MOUNTS`. Default: none. */
  within?: readonly string[];
}

/**
 * Runs a process in which `mount` affects nobody else, and whose mounts end with it; its files are below
 * `/proc/<pid>/root`. Without root, the kernel must allow user namespaces.
 */
export const OWN_MOUNTS = ['unshare', '--mount', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'])];

/** Starts it on a free port and returns once it listens. It ends when this process ends, even if that is killed. */
export async function startServerProcess({
  env,
  limits = ':',
  within = [],
}: ServerProcessOptions): Promise<ServerProcess> {
  const script = join(import.meta.dirname, 'berth-child.ts');
  const [program = '', ...parameters] = [...within, 'bash', '-c', `${limits}; exec "$@"`, 'bash'];
  const child = spawn(program, [...parameters, process.execPath, script], {
    env: { PATH: process.env.PATH, PORT: '0', ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const log = text(child.stderr);
  const started = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(() => undefined)])) as
    [Buffer] | undefined;
  if (!started) throw new Error(`the server did not start: ${await log}`);
  const ended = once(child, 'exit') as Promise<[number | null]>;
  return {
    url: started[0].toString().trim(),
    pid: child.pid ?? 0,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    async stop() {
      child.kill('SIGKILL');
      await ended;
      return log;
    },
    async terminate() {
      child.kill('SIGTERM');
      return (await ended)[0];
    },
  };
}
