// Records work that is no job, such as a backup by the command line, as if it were one: for the metrics.

import { BerthError } from '../errors.ts';
import type { Database } from '../db/index.ts';
import { jobRepository } from './job-repository.ts';

/**
 * Does the work and records its start and its outcome under the name of a job. Only one process may do so at a time.
 * The work does not depend on whether that can be written.
 * @param token increases from one call to the next: that of the lease under which the work is done
 */
export async function recordRun<T>(
  { db, dialect }: Database,
  { name, token, signal }: { name: string; token: number; signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  const rows = jobRepository(db, dialect);
  await rows.insert(name, undefined).catch(() => undefined);
  await rows.begin(name, token, false).catch(() => undefined);
  try {
    const result = await work();
    await rows.succeed(name, token, null, undefined).catch(() => undefined);
    return result;
  } catch (error) {
    const code = error instanceof BerthError ? error.code : 'internal_error';
    if (!signal.aborted) await rows.fail(name, token, code, undefined).catch(() => undefined);
    throw error;
  }
}
