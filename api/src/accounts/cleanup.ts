import type { Database } from '../db/index.ts';
import { inBatches, type Job } from '../jobs/index.ts';
import { cleanupRepository } from './cleanup-repository.ts';

export interface AccountCleanup {
  sessions: number;
  verifications: number;
  rateLimits: number;
}

const EVERY_MS = 3_600_000;
/** Longer than every window of better-auth's limits. */
const KEEP_RATE_LIMITS_MS = 86_400_000;

/**
 * Deletes expired sessions, links and steps of sign-ins, and old counts of requests by address: better-auth deletes
 * few of them itself.
 */
export function accountCleanupJob({ db }: Pick<Database, 'db'>): Job<unknown, AccountCleanup> {
  const rows = cleanupRepository(db);
  return {
    name: 'accounts.forget',
    everyMs: EVERY_MS,
    run: async ({ signal }) => ({
      sessions: await inBatches(rows.deleteSessions, { signal }),
      verifications: await inBatches(rows.deleteVerifications, { signal }),
      rateLimits: await inBatches((limit) => rows.deleteRateLimits(KEEP_RATE_LIMITS_MS, limit), { signal }),
    }),
  };
}
