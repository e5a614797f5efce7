import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBatcher } from '../../src/jobs/index.ts';

test('the first item goes at once, later ones together, and never two batches at a time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const pass = async (ms: number) => {
    now += ms;
    t.mock.timers.tick(ms);
    await new Promise(setImmediate);
  };
  const sent: number[][] = [];
  let release = () => {};
  const batcher = createBatcher<number[], number>({
    add: (batch = [], item) => [...batch, item],
    flush: async (batch) => {
      sent.push(batch);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    },
    intervalMs: 1000,
  });
  batcher.add(1);
  await pass(0);
  assert.deepEqual(sent, [[1]]);
  batcher.add(2);
  await pass(999);
  batcher.add(3);
  assert.deepEqual(sent, [[1]]);
  await pass(1);
  assert.deepEqual(sent, [[1]], 'the first one is still on its way');
  release();
  await pass(0);
  assert.deepEqual(sent, [[1], [2, 3]]);
  batcher.add(4);
  const flushed = batcher.flush();
  release();
  await pass(0);
  assert.deepEqual(sent, [[1], [2, 3], [4]]);
  release();
  await flushed;
});
