// Bounds what people without a user can add to the audit log by failing to sign in.

import { createAttemptLimit, TooManyAttemptsError } from '../../attempts/index.ts';
import type { Database } from '../../db/index.ts';
import { findUserByEmail } from '../users/repository.ts';

export interface StrangerEvents {
  /**
   * Tells whether to record an event about an address. Those of users are always recorded; the number of their
   * failures is limited. Those of other addresses are recorded up to a limit for all of them together; reaching it is
   * logged, once in each window.
   */
  isRecorded(email: string, log: { warn(message: string): void }): Promise<boolean>;
}

export interface StrangerEventsOptions {
  database: Database;
  /** Default: 200 an hour. */
  limit?: { max: number; windowMs: number };
}

const LIMIT = { max: 200, windowMs: 3_600_000 };

export function createStrangerEvents({
  database,
  limit: { max, windowMs } = LIMIT,
}: StrangerEventsOptions): StrangerEvents {
  const events = createAttemptLimit({ database, name: 'stranger-event', max, windowMs });
  let silentUntil = 0;
  return {
    async isRecorded(email, log) {
      if (await findUserByEmail(database.db, email)) return true;
      try {
        await events.count('all');
        return true;
      } catch (error) {
        if (!(error instanceof TooManyAttemptsError)) throw error;
        if (Date.now() >= silentUntil) {
          silentUntil = Date.now() + windowMs;
          log.warn(
            `more than ${max} sign-ins with unknown addresses failed within ${windowMs / 60_000} minutes: ` +
              'further ones are not recorded in the audit log',
          );
        }
        return false;
      }
    },
  };
}
