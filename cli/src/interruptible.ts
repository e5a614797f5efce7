// Runs work that shows progress and stops on Ctrl-C.

import { createProgressDisplay, type Progress } from './progress.ts';

export interface InterruptibleWork<Result> {
  /** Name of the command; prefix of each line of progress. */
  name: string;
  isQuiet: boolean;
  /** Message of the error after an interruption. */
  interruption: string;
  work(hooks: { onProgress: (progress: Progress) => void; signal: AbortSignal }): Promise<Result>;
}

/** Runs the work; progress goes to standard error and is cleared when this returns. */
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
  // Once: a second Ctrl-C kills the process.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, interrupt);
  try {
    return await work({ onProgress: display.show, signal: interrupted.signal });
  } finally {
    display.end();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt);
  }
}
