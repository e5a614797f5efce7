import type { Database } from '../db/index.ts';
import { inBatches, type Job } from '../jobs/index.ts';
import { attemptRepository } from './repository.ts';

const EVERY_MS = 3_600_000;

/** Deletes counters whose window has ended. */
export function attemptCleanupJob(database: Database): Job {
  const rows = attemptRepository(database);
  return {
    name: 'attempts.forget',
    everyMs: EVERY_MS,
    run: ({ signal }) => inBatches(rows.deleteExpired, { signal }),
  };
}
