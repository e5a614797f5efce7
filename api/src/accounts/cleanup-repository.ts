import type { Executor } from '../db/index.ts';

/** Deletes up to `limit` rows that nothing needs any more; each function returns how many. */
export function cleanupRepository(executor: Executor) {
  async function deleteExpired(table: 'session' | 'verification', limit: number): Promise<number> {
    const expired = executor.selectFrom(table).select('id').where('expiresAt', '<', new Date()).limit(limit);
    const { numDeletedRows } = await executor.deleteFrom(table).where('id', 'in', expired).executeTakeFirst();
    return Number(numDeletedRows);
  }

  return {
    deleteSessions: (limit: number) => deleteExpired('session', limit),
    deleteVerifications: (limit: number) => deleteExpired('verification', limit),

    /** Deletes counts of requests whose last one is older than this. */
    async deleteRateLimits(ageMs: number, limit: number): Promise<number> {
      const old = executor
        .selectFrom('rateLimit')
        .select('id')
        .where('lastRequest', '<', Date.now() - ageMs)
        .limit(limit);
      const { numDeletedRows } = await executor.deleteFrom('rateLimit').where('id', 'in', old).executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
