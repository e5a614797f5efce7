// Waiting for a database at start: containers of one deployment start in any order.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from './database.ts';
import { DatabaseUnavailableError, toDatabaseError } from './errors.ts';

const INTERVAL_MS = 500;

export interface PatienceOptions {
  /** How long to go on trying. */
  patienceMs: number;
  /** Told once, when the first attempt has failed. */
  onWait: (error: unknown) => void;
}

/**
 * Resolves once the database answers.
 * @throws its last failure, when that goes on or means that waiting does not help
 */
export async function untilReachable(database: Database, { patienceMs, onWait }: PatienceOptions): Promise<void> {
  const deadline = Date.now() + patienceMs;
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
