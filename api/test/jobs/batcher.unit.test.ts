import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBatcher } from '../../src/jobs/index.ts';

test('flushes the first item immediately and later ones together, never two batches at a time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const advance = async (ms: number) => {
    now += ms;
    t.mock.timers.tick(ms);
    await new Promise(setImmediate);
  };
  const flushed: number[][] = [];
  let finishFlush = () => {};
  const batcher = createBatcher<number[], number>({
    add: (batch = [], item) => [...batch, item],
    flush: async (batch) => {
      flushed.push(batch);
      await new Promise<void>((resolve) => {
        finishFlush = resolve;
      });
    },
    intervalMs: 1000,
  });
  batcher.add(1);
  await advance(0);
  assert.deepEqual(flushed, [[1]]);
  batcher.add(2);
  await advance(999);
  batcher.add(3);
  assert.deepEqual(flushed, [[1]]);
  await advance(1);
  assert.deepEqual(flushed, [[1]], 'the first flush is still running');
  finishFlush();
  await advance(0);
  assert.deepEqual(flushed, [[1], [2, 3]]);
  batcher.add(4);
  const flushing = batcher.flush();
  finishFlush();
  await advance(0);
  assert.deepEqual(flushed, [[1], [2, 3], [4]]);
  finishFlush();
  await flushing;
});
