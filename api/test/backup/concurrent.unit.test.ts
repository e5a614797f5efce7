import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { BLOB_LIMIT, forEachConcurrently } from '../../src/backup/concurrent.ts';

const MIB = 1024 ** 2;

/** Copies blobs of these sizes. @returns the most that were copied at the same time */
async function most(sizes: readonly number[]): Promise<number> {
  let running = 0;
  let maximum = 0;
  const done: number[] = [];
  await forEachConcurrently(
    sizes.map((sizeBytes, n) => ({ sizeBytes, n })),
    BLOB_LIMIT,
    async ({ n }) => {
      maximum = Math.max(maximum, ++running);
      for (let turns = randomInt(1, 4); turns > 0; turns--) await nextTurn();
      running--;
      done.push(n);
    },
  );
  assert.deepEqual(
    done.toSorted((a, b) => a - b),
    sizes.map((_, n) => n),
  );
  return maximum;
}

test('many small blobs and few large ones are copied at the same time', async () => {
  const times = (count: number, size: number) => Array.from({ length: count }, () => size);
  for (const [size, atOnce] of [
    [0, 32],
    [50_000, 32],
    [MIB, 32],
    [2 * MIB, 16],
    [8 * MIB, 4],
    [100_000 * MIB, 4],
  ] as const)
    assert.equal(await most(times(100, size)), atOnce, `${size} bytes`);
  assert.equal(await most(times(3, 100 * MIB)), 3);
  assert.equal(await most([]), 0);
});

test('blobs of mixed sizes take at most 32 MiB of memory, each at most 8', async () => {
  for (let round = 0; round < 20; round++) {
    let weight = 0;
    const sizes = Array.from({ length: 200 }, () => Math.floor(2 ** (Math.random() * 30)));
    await forEachConcurrently(
      sizes.map((sizeBytes) => ({ sizeBytes })),
      BLOB_LIMIT,
      async ({ sizeBytes }) => {
        const own = Math.min(sizeBytes, 8 * MIB);
        weight += own;
        assert.ok(weight <= 32 * MIB, `${weight} bytes`);
        for (let turns = randomInt(1, 4); turns > 0; turns--) await nextTurn();
        weight -= own;
      },
    );
  }
});

test('after a failure nothing is started, and the first error is thrown at the end of what was running', async () => {
  const started: number[] = [];
  let ended = 0;
  await assert.rejects(
    forEachConcurrently([1, 2, 3, 4, 5, 6], { total: 3, weightOf: () => 1 }, async (n) => {
      started.push(n);
      await nextTurn();
      if (n === 2) throw new Error('first');
      await nextTurn();
      ended++;
      if (n === 3) throw new Error('second');
    }),
    /first/,
  );
  assert.deepEqual([started, ended], [[1, 2, 3], 2]);
});
