import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createStorageKey, isStorageKey } from '../../src/blobs/blob-store.ts';

test('a storage key is 32 random hexadecimal digits in the folder of the first two', () => {
  const key = createStorageKey();
  assert.match(key, /^([0-9a-f]{2})\/\1[0-9a-f]{30}$/);
  assert.ok(isStorageKey(key));
});

test('no two storage keys are equal', () => {
  const keys = new Set(Array.from({ length: 1000 }, () => createStorageKey()));
  assert.equal(keys.size, 1000);
});
