import { setTimeout as sleep } from 'node:timers/promises';

const INTERVAL_MS = 20;
const PATIENCE_MS = 30_000;

/** Tries until it does not fail any more, and gives up with its last failure after half a minute: for what settles after an answer, on a machine that has other things to do. */
export async function eventually<T>(attempt: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + PATIENCE_MS; ;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(INTERVAL_MS);
    }
  }
}
