// Waits for the database at start, since the containers of a deployment start in any order.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from './database.ts';
import { DatabaseUnavailableError, toDatabaseError } from './errors.ts';

const INTERVAL_MS = 500;

export interface UntilReachableOptions {
  /** How long to retry. */
  timeoutMs: number;
  /** Called once, after the first failed attempt. */
  onWait: (error: unknown) => void;
}

/**
 * Resolves once the database answers; retries every 500 ms.
 * @throws the last error at the timeout, and any error other than database_unavailable immediately
 */
export async function untilReachable(database: Database, { timeoutMs, onWait }: UntilReachableOptions): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (let attempt = 1; ; attempt++) {
    try {
      await database.check();
      return;
    } catch (error) {
      if (!(toDatabaseError(error) instanceof DatabaseUnavailableError) || Date.now() >= deadline) throw error;
      if (attempt === 1) onWait(error);
      await sleep(INTERVAL_MS);
    }
  }
}
