// Waits for what happens in the background.

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Generous: other tests may keep the machine busy. */
const TIMEOUT_MS = 30_000;

/** Calls `attempt` until it does not throw; after 30 s, throws its last error. */
export async function eventually<T>(attempt: () => T | Promise<T>, timeoutMs = TIMEOUT_MS): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await sleep(10);
  }
}

/** Waits until `actual` returns what deeply equals `expected`. */
export async function eventuallyEqual<T>(actual: () => T | Promise<T>, expected: T): Promise<void> {
  await eventually(async () => {
    assert.deepEqual(await actual(), expected);
  });
}
