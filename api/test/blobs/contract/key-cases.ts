import assert from 'node:assert/strict';
import type { DefineCase } from './fixture.ts';
import { assertHolds, listKeys, sampleBytes, writeBlob } from './blob-bytes.ts';

const VALID_KEYS = [
  'a',
  'plain',
  'ab/abcdef0123456789',
  'a/b/c/d/e/f',
  'with.dots/..two/three...',
  '.hidden/_under/-dash-',
  'archive.tar.gz',
  'x.part',
  'k'.repeat(200),
];

const INVALID_KEYS = [
  '',
  '/',
  '/absolute',
  'ends/',
  'two//slashes',
  '.',
  '..',
  '../above',
  'a/../b',
  'a/..',
  './a',
  'a/./b',
  'Upper',
  'space d',
  'back\\slash',
  'nul\0',
  'line\n',
  'tilde~part',
  'per%2ecent',
  'que?ry',
  'plus+',
  'col:on',
  'ünï',
  'k'.repeat(201),
];

export function describeKeys(it: DefineCase): void {
  for (const key of VALID_KEYS) {
    it(`stores a blob under the key '${key}'`, async (store, fixture) => {
      await writeBlob(store, key, sampleBytes(9));
      await assertHolds(store, key, sampleBytes(9));
      assert.deepEqual(await listKeys(store), [key]);
      await store.delete(key);
      assert.deepEqual(await fixture.leftovers(), []);
    });
  }

  it('distinguishes all valid keys', async (store) => {
    // 'a' is a folder of another key.
    const keys = VALID_KEYS.filter((key) => key !== 'a').sort();
    for (const key of keys) await writeBlob(store, key, sampleBytes(9, key));
    for (const key of keys) await assertHolds(store, key, sampleBytes(9, key));
    assert.deepEqual(await listKeys(store), keys);
  });

  for (const key of INVALID_KEYS) {
    it(`rejects the key ${JSON.stringify(key)} in every method`, async (store, fixture) => {
      const invalid = { code: 'blob_key_invalid', status: 500 };
      await assert.rejects(store.create(key), invalid);
      await assert.rejects(store.resume(key, ''), invalid);
      await assert.rejects(store.stat(key), invalid);
      await assert.rejects(store.read(key), invalid);
      await assert.rejects(store.delete(key), invalid);
      assert.deepEqual(await fixture.leftovers(), []);
    });
  }
}
