import assert from 'node:assert/strict';
import test from 'node:test';
import { adoptDelay, createReconnectDelays } from '../dist/reconnect.js';

test('a registry chooses the first delay, within bounds', () => {
  const delays = createReconnectDelays();
  const first = [undefined, 2000, undefined, 0, 1e12].map((retryMs) => {
    adoptDelay(delays, retryMs);
    return delays.firstMs;
  });
  assert.deepEqual(first, [1000, 2000, 2000, 100, 30_000]);
});
