// What the commands on the server's own data have in common: they load it, show its progress, end it on Ctrl-C and
// print what came of it.

import { print, runInterruptibly } from './interruptible.ts';
import { loadServer, type Server } from './load-server.ts';
import type { Progress } from './progress.ts';

/** Options of every such command. */
export const OPERATION_OPTIONS = { json: { type: 'boolean' }, quiet: { type: 'boolean' } } as const;
export const OPERATION_TEXTS = {
  json: 'print the result as JSON, for scripts; its fields stay',
  quiet: 'show no progress',
};
/** Ends the description of each. */
export const ABOUT_SETTINGS = `It finds the data by the settings of the server: the same environment variables (DATA_DIR, DATABASE_URL, FILES_STORAGE, …), or
the file that BERTH_CONFIG names. The server may be running.`;

export interface Operation<Result> {
  /** Of the command, before each line of progress. */
  name: string;
  values: { json?: boolean | undefined; quiet?: boolean | undefined };
  work(server: Server, hooks: { onProgress: (progress: Progress) => void; signal: AbortSignal }): Promise<Result>;
  /** Says in a few words what was done, for people. */
  say(result: Result): string;
}

/** Runs an operation and prints its result to the standard output; progress goes to the standard error. */
export async function runOperation<Result>({ name, values, work, say }: Operation<Result>): Promise<Result> {
  const server = await loadServer();
  const result = await runInterruptibly({
    name,
    isQuiet: values.quiet === true,
    interruption: 'interrupted: run it again, it goes on where it stopped',
    work: (hooks) => work(server, hooks),
  });
  print(values.json ? JSON.stringify(result) : say(result));
  return result;
}

/** A line of its own on the standard error, for what must be seen beside the result. */
export function warn(name: string, text: string): void {
  process.stderr.write(`berth ${name}: ${text}\n`);
}
