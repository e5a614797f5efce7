// Runs a child process with an explicit environment: it inherits nothing, so no secret of this process reaches it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isErrno } from './errors.ts';

/** Standard error is kept up to this length, from its end: compilers can be verbose. */
const MAX_STDERR_LENGTH = 256 * 1024;

export interface ProgramOptions {
  cwd: string;
  env: Record<string, string>;
  /** Kills the program and its children. */
  signal: AbortSignal;
}

export interface ProgramResult {
  /** `exit status 1`, `signal SIGSEGV`; undefined on success. */
  failure: string | undefined;
  stderr: string;
}

/**
 * Runs a program, which is searched on the given PATH, and waits for its exit.
 *
 * @throws Error `ENOENT` if the program does not exist; the signal's reason
 */
export async function runProgram(
  program: string,
  parameters: string[],
  { cwd, env, signal }: ProgramOptions,
): Promise<ProgramResult> {
  signal.throwIfAborted();
  // Its own process group, so that it can be killed with its children. Should this process die, writes to the closed
  // pipes end them.
  const child = spawn(program, parameters, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const onAbort = (): void => {
    killGroup(child.pid);
  };
  let stderr = '';
  child.stdout.resume();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-MAX_STDERR_LENGTH);
  });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const [code, killedBy] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    signal.throwIfAborted();
    return {
      failure: code === 0 ? undefined : killedBy === null ? `exit status ${code}` : `signal ${killedBy}`,
      stderr,
    };
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function killGroup(leader: number | undefined): void {
  if (leader === undefined) return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if (!isErrno(error, 'ESRCH')) throw error;
  }
}
