// HTTP load by wrk (Debian: wrk), a client written in C that leaves the processor to the server.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface LoadOptions { seconds?: number; connections?: number; headers?: Record<string, string> }

/** Asks one URL again and again and returns the requests answered per second; anything but 2xx fails. */
export async function requestsPerSecond(url: string, { seconds = 4, connections = 16, headers = {} }: LoadOptions = {}): Promise<number> {
  const parameters = ['-t1', `-c${connections}`, `-d${seconds}s`, ...Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]), url];
  const { stdout } = await run('wrk', parameters);
  if (/Non-2xx or 3xx responses/.test(stdout)) throw new Error(`${url} did not answer with 2xx`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
}
