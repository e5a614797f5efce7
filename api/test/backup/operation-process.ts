// Runs a backup or a restore in a separate process, which tests can kill and limit.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { BackupReport, RestoreReport } from '../../index.ts';

export interface OperationProcess {
  env: Record<string, string>;
  /** The process kills itself at this step, counted from 1: the start of a phase, or progress of rows or blobs. */
  killAt?: number;
  /** The process kills itself once it has copied this many bytes of blobs. */
  killAtBytes?: number;
  /** Shell commands to run first in the same process: `ulimit -f 1024`. */
  limits?: string;
}

/** The process's output; undefined when it was killed. `steps` counts its steps. */
export type Outcome =
  | { report: BackupReport & RestoreReport; steps: number; code?: undefined }
  | { code: string; message: string }
  | undefined;

export async function runOperation(
  name: 'backup' | 'restore',
  directory: string,
  { env, killAt, killAtBytes, limits = ':' }: OperationProcess,
): Promise<Outcome> {
  const script = join(import.meta.dirname, 'operation-child.ts');
  const child = spawn('bash', ['-c', `${limits}; exec "$@"`, 'bash', process.execPath, script, name, directory], {
    env: {
      PATH: process.env.PATH,
      ...env,
      ...(killAt !== undefined && { KILL_AT: String(killAt) }),
      ...(killAtBytes !== undefined && { KILL_AT_BYTES: String(killAtBytes) }),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return output === '' ? undefined : (JSON.parse(output) as Outcome);
}

/** Runs an operation and fails unless it succeeds. */
export async function runToEnd(
  name: 'backup' | 'restore',
  directory: string,
  options: OperationProcess,
): Promise<{ report: BackupReport & RestoreReport; steps: number }> {
  const outcome = await runOperation(name, directory, options);
  if (!outcome || outcome.code !== undefined) throw new Error(`${name} ended early: ${outcome?.message ?? 'killed'}`);
  return outcome;
}
