import type { Database } from '../db/index.ts';
import type { Job } from '../jobs/index.ts';
import { attemptRepository } from './repository.ts';

const EVERY_MS = 3_600_000;

/** Deletes counters whose window has ended. */
export function attemptCleanupJob(database: Database): Job {
  return { name: 'attempts.forget', everyMs: EVERY_MS, run: () => attemptRepository(database).deleteExpired() };
}
