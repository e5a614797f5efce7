// HTTP load by wrk, a client written in C that uses little CPU.

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { headerParameters } from './curl.ts';
import { requireTool } from './tools.ts';

const run = promisify(execFile);
const SCRIPT = fileURLToPath(new URL('./random-paths.lua', import.meta.url));

export interface Load {
  url: string;
  /** File with one path per line; each request picks one at random. */
  pathsFile: string;
  headers?: Record<string, string>;
  seconds: number;
  connections?: number;
}

/** Requests random paths as fast as possible; any response but 2xx fails. @returns requests per second */
export async function requestsPerSecond({
  url,
  pathsFile,
  headers = {},
  seconds,
  connections = 16,
}: Load): Promise<number> {
  const parameters = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '-s',
    SCRIPT,
    ...headerParameters(headers),
    url,
    '--',
    pathsFile,
  ];
  const { stdout } = await run(requireTool('wrk'), parameters, { timeout: (seconds + 30) * 1000 });
  if (/Non-2xx or 3xx responses|Socket errors/.test(stdout))
    throw new Error(`${url} did not respond to every request with 2xx:\n${stdout}`);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
}

/** Writes a `pathsFile`, and returns its path. */
export async function writePaths(file: string, paths: readonly string[]): Promise<string> {
  await writeFile(file, `${paths.join('\n')}\n`);
  return file;
}
