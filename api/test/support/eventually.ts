import { setTimeout as sleep } from 'node:timers/promises';

const INTERVAL_MS = 20;
const TIMEOUT_MS = 10_000;

/**
 * Retries every 20 ms until the attempt succeeds, for effects that follow a response.
 * @param timeoutMs default 10 s
 * @throws the last error at the timeout
 */
export async function eventually<T>(attempt: () => Promise<T>, timeoutMs = TIMEOUT_MS): Promise<T> {
  for (const deadline = Date.now() + timeoutMs; ;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(INTERVAL_MS);
    }
  }
}
