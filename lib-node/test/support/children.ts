// Starts child processes that use the library, to wait for or to kill.

import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EnsuredArtefact } from '../../dist/index.js';

/** Next to this file, compiled if this one is. */
const SCRIPT = fileURLToPath(new URL(`./ensure-child${extname(import.meta.url)}`, import.meta.url));

export interface EnsureChild {
  process: ChildProcess;
  /** The result that the child printed; rejects with its stderr if it failed. */
  result: Promise<EnsuredArtefact>;
  /** Sends SIGKILL, and waits until the process is gone. */
  kill: () => Promise<void>;
}

/** Starts a process that calls ensureArtefact or ensureArtefactFile. */
export function startEnsure(options: object, name = 'ensureArtefact'): EnsureChild {
  const child = spawn(process.execPath, [SCRIPT, name, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const result = collect(child);
  result.catch(() => undefined);
  return {
    process: child,
    result,
    kill: async () => {
      child.kill('SIGKILL');
      await result.catch(() => undefined);
    },
  };
}

async function collect(child: ChildProcess): Promise<EnsuredArtefact> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== 0) throw new Error(`the child ended with ${code ?? signal}: ${stderr}`);
  return JSON.parse(stdout) as EnsuredArtefact;
}
