import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** What precedes a command that only root may run. */
export const AS_ROOT = process.getuid?.() === 0 ? [] : ['sudo', '-n', '--preserve-env'];

/** Runs a command as root, in the directory of the checkout. @returns its stdout @throws Error with its output */
export async function runAsRoot(...words: string[]): Promise<string> {
  const [program = '', ...parameters] = [...AS_ROOT, ...words];
  const { stdout } = await promisify(execFile)(program, parameters, { maxBuffer: MAX_OUTPUT_BYTES });
  return stdout.trim();
}
