import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isStorageKey } from '../../src/blobs/blob-store.ts';
import { createReservation } from '../../src/blobs/reservation.ts';

test('keys that are asked for together are written together, and are all different', async () => {
  const written: string[][] = [];
  const reserve = createReservation({ beginWriters: async (keys) => { written.push([...keys]); } });
  const keys = await Promise.all(Array.from({ length: 20 }, () => reserve()));
  assert.deepEqual(written.map(({ length }) => length), [16, 4]);
  assert.deepEqual(written.flat(), keys);
  assert.equal(new Set(keys).size, 20);
  assert.ok(keys.every((key) => isStorageKey(key)));
});

test('none of them is given when they cannot be written, and the next ones are', async () => {
  let isAway = true;
  const reserve = createReservation({ beginWriters: async () => { if (isAway) throw new Error('away'); } });
  for (const { status } of await Promise.allSettled([reserve(), reserve()])) assert.equal(status, 'rejected');
  isAway = false;
  assert.ok(isStorageKey(await reserve()));
});
