// Runs a command like a terminal: a shell in its own process group, all of which receives Ctrl-C.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

const WAIT_TIMEOUT_MS = 120_000;

export interface TerminalCommand {
  /** The output so far, including errors. */
  output(): string;
  /** Resolves once its output matches; rejects if it ends before that. */
  shows(pattern: RegExp): Promise<void>;
  /** Sends SIGINT to the whole group. */
  pressCtrlC(): void;
  /** Resolves with the exit status once it has ended. */
  ended: Promise<number | null>;
  /** Kills the remaining processes of the group. */
  [Symbol.dispose](): void;
}

/** Starts a command line; `stdin` is its input. */
export function runInTerminal(
  command: string,
  { directory, env = {}, stdin = '' }: { directory: string; env?: Record<string, string>; stdin?: string },
): TerminalCommand {
  const child = spawn('sh', ['-c', command], {
    cwd: directory,
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env },
    detached: true,
  });
  let text = '';
  let hasEnded = false;
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  child.stdin.on('error', () => undefined).end(stdin);
  const ended = once(child, 'close').then(([status]) => {
    hasEnded = true;
    return status as number | null;
  });
  const signalGroup = (signal: NodeJS.Signals) => {
    if (child.pid !== undefined && !hasEnded) process.kill(-child.pid, signal);
  };
  return {
    output: () => text,
    async shows(pattern) {
      const deadline = Date.now() + WAIT_TIMEOUT_MS;
      while (!pattern.test(text)) {
        if (hasEnded || Date.now() > deadline) throw new Error(`${command} did not show ${String(pattern)}:\n${text}`);
        await Promise.race([
          ended,
          once(child.stdout, 'data', { signal: AbortSignal.timeout(1000) }).catch(() => undefined),
        ]);
      }
    },
    pressCtrlC: () => {
      signalGroup('SIGINT');
    },
    ended,
    [Symbol.dispose]: () => {
      signalGroup('SIGKILL');
    },
  };
}
