import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCountCache } from '../../src/artefacts/count-cache.ts';

test('a list is counted once per version', async () => {
  const counts = createCountCache();
  let counted = 0;
  const count = () => Promise.resolve(++counted);
  assert.deepEqual(await Promise.all([counts.get(1, 'a', count), counts.get(1, 'a', count)]), [1, 1]);
  assert.equal(await counts.get(1, 'b', count), 2);
  assert.equal(await counts.get(2, 'a', count), 3);
  assert.equal(await counts.get(2, 'a', count), 3);
});

test('a failed count is not cached', async () => {
  const counts = createCountCache();
  await assert.rejects(counts.get(1, 'a', () => Promise.reject(new Error('away'))));
  assert.equal(await counts.get(1, 'a', () => Promise.resolve(5)), 5);
});

test('a count that resolves after a version change is not cached for the new version', async () => {
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

test('at most a thousand lists are cached', async () => {
  const counts = createCountCache();
  let counted = 0;
  const count = () => Promise.resolve(++counted);
  for (let list = 0; list <= 1000; list++) await counts.get(1, String(list), count);
  await counts.get(1, '0', count);
  assert.equal(counted, 1002);
});
