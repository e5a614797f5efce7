// Runs a program to its end in an environment that is given, not inherited: no secret of this process can reach it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isErrno } from './errors.ts';

/** The end of what it has written to its standard error; compilers can be very talkative. */
const MAX_STDERR_LENGTH = 256 * 1024;

export interface ProgramOptions {
  cwd: string;
  env: Record<string, string>;
  /** Ends the program and all that it has started. */
  signal: AbortSignal;
}

export interface ProgramEnd {
  /** Undefined when it succeeded: `exit status 1`, `signal SIGSEGV`. */
  failure: string | undefined;
  stderr: string;
}

/**
 * Runs a program, found on the given PATH, and waits until it has ended.
 *
 * @throws Error `ENOENT` when there is no such program; the signal's reason
 */
export async function runProgram(
  program: string,
  parameters: string[],
  { cwd, env, signal }: ProgramOptions,
): Promise<ProgramEnd> {
  signal.throwIfAborted();
  // A group of its own, so that it can be ended with its children; with a reader gone, what it leaves behind ends by
  // itself.
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
