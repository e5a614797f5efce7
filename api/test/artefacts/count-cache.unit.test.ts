import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCountCache } from '../../src/artefacts/count-cache.ts';

test('a list is counted once for each version', async () => {
  const counts = createCountCache();
  let counted = 0;
  const count = () => Promise.resolve(++counted);
  assert.deepEqual(await Promise.all([counts.get(1, 'a', count), counts.get(1, 'a', count)]), [1, 1]);
  assert.equal(await counts.get(1, 'b', count), 2);
  assert.equal(await counts.get(2, 'a', count), 3);
  assert.equal(await counts.get(2, 'a', count), 3);
});

test('a count that fails is not kept', async () => {
  const counts = createCountCache();
  await assert.rejects(counts.get(1, 'a', () => Promise.reject(new Error('away'))));
  assert.equal(await counts.get(1, 'a', () => Promise.resolve(5)), 5);
});

test('a count that arrives after its version has passed is not taken for the next one', async () => {
  const counts = createCountCache();
  let finish: (count: number) => void = () => assert.fail('not counting yet');
  const late = counts.get(
    1,
    'a',
    () =>
      new Promise((resolve) => {
        finish = resolve;
      }),
  );
  assert.equal(await counts.get(2, 'a', () => Promise.resolve(2)), 2);
  finish(1);
  assert.equal(await late, 1);
  assert.equal(await counts.get(2, 'a', () => Promise.resolve(3)), 2);
});

test('never more lists than a thousand are kept', async () => {
  const counts = createCountCache();
  let counted = 0;
  const count = () => Promise.resolve(++counted);
  for (let list = 0; list <= 1000; list++) await counts.get(1, String(list), count);
  await counts.get(1, '0', count);
  assert.equal(counted, 1002);
});
