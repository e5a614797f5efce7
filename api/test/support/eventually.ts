import { setTimeout as sleep } from 'node:timers/promises';

const INTERVAL_MS = 20;
const PATIENCE_MS = 10_000;

/**
 * Tries until it does not fail any more, and gives up with its last failure: for what settles after an answer.
 * @param patienceMs default 10 s
 */
export async function eventually<T>(attempt: () => Promise<T>, patienceMs = PATIENCE_MS): Promise<T> {
  for (const deadline = Date.now() + patienceMs; ;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(INTERVAL_MS);
    }
  }
}
