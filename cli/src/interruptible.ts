// Work that shows how far it has come and ends on Ctrl-C.

import { createProgressDisplay, type Progress } from './progress.ts';

export interface InterruptibleWork<Result> {
  /** Of the command, before each line of progress. */
  name: string;
  isQuiet: boolean;
  /** What the error says when it was interrupted. */
  interruption: string;
  work(hooks: { onProgress: (progress: Progress) => void; signal: AbortSignal }): Promise<Result>;
}

/** Runs the work; progress goes to the standard error, and is gone when this returns. */
export async function runInterruptibly<Result>({
  name,
  isQuiet,
  interruption,
  work,
}: InterruptibleWork<Result>): Promise<Result> {
  const display = createProgressDisplay({ name, stream: process.stderr, isQuiet });
  const interrupted = new AbortController();
  const interrupt = () => {
    interrupted.abort(new Error(interruption));
  };
  // Once: the second Ctrl-C ends the process at once.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt);
  try {
    return await work({ onProgress: display.show, signal: interrupted.signal });
  } finally {
    display.end();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
  }
}

/** Prints what came of a command to the standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
