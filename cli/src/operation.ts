// Shared by the commands that work on the server's own data: loads the server, shows progress, stops on Ctrl-C and
// prints the result.

import { runInterruptibly } from './interruptible.ts';
import { print } from './terminal.ts';
import { loadServer, type Server } from './load-server.ts';
import type { Progress } from './progress.ts';

/** Options of each of these commands. */
export const OPERATION_OPTIONS = { json: { type: 'boolean' }, quiet: { type: 'boolean' } } as const;
export const OPERATION_TEXTS = {
  json: 'print the result as JSON, whose fields are stable',
  quiet: 'show no progress',
};
export const ABOUT_SETTINGS = `The instance is found through the settings of the server: the same environment variables
(DATA_DIR, DATABASE_URL, FILES_STORAGE, …), or the file that BERTH_CONFIG names.`;
export const ABOUT_LIVE_SETTINGS = `${ABOUT_SETTINGS} The server may be running.`;

export interface Operation<Result> {
  /** Name of the command; prefix of each line of progress. */
  name: string;
  values: { json?: boolean | undefined; quiet?: boolean | undefined };
  /** Message after Ctrl-C. Default: that the command continues if it is run again. */
  interruption?: string;
  work(server: Server, hooks: { onProgress: (progress: Progress) => void; signal: AbortSignal }): Promise<Result>;
  /** Formats the result for people. */
  describe(result: Result): string;
}

/** Runs an operation and prints its result to standard output; progress goes to standard error. */
export async function runOperation<Result>({
  name,
  values,
  interruption = 'interrupted: run the command again to continue',
  work,
  describe,
}: Operation<Result>): Promise<Result> {
  const server = await loadServer();
  const result = await runInterruptibly({
    name,
    isQuiet: values.quiet === true,
    interruption,
    work: (hooks) => work(server, hooks),
  });
  print(values.json ? JSON.stringify(result) : describe(result));
  return result;
}
