import assert from 'node:assert/strict';
import { test } from 'node:test';
import compare from 'semver/functions/compare.js';
import { versionKey } from '../../src/db/index.ts';

const NUMBERS = ['0', '1', '2', '9', '10', '11', '99', '100', '9007199254740991'];
const IDENTIFIERS = ['0', '2', '10', '99999999999999999999', 'a', 'alpha', 'alpha-1', 'alpha1', 'b', 'A', '-', 'rc'];

test('keys of versions are in the order of semver', () => {
  const versions = [...randomVersions(400), '1.0.0-alpha', '1.0.0-alpha.1', '1.0.0-alpha.beta', '1.0.0-beta.11'];
  for (const version of versions)
    for (const other of versions.slice(-150)) {
      const [one, two] = [Buffer.from(versionKey(version)), Buffer.from(versionKey(other))];
      assert.equal(Buffer.compare(one, two), compare(version, other), `${version} and ${other}`);
    }
});

test('no version comes first, then what is no version', () => {
  assert.deepEqual([undefined, 'latest', '0.0.0-0'].map(versionKey).toSorted(), [
    versionKey(undefined),
    versionKey('latest'),
    versionKey('0.0.0-0'),
  ]);
  assert.equal(versionKey(undefined), '');
});

function randomVersions(count: number): string[] {
  let state = 7;
  const pick = <T>(values: readonly T[]): T => {
    state = (Math.imul(state, 48_271) & 0x7fff_ffff) % 0x7fff_ffff;
    return values[state % values.length] as T;
  };
  return Array.from({ length: count }, () => {
    const identifiers = Array.from({ length: pick([0, 0, 1, 1, 2, 3]) }, () => pick(IDENTIFIERS));
    const numbers = [pick(NUMBERS), pick(NUMBERS), pick(NUMBERS)].join('.');
    return numbers + (identifiers.length > 0 ? `-${identifiers.join('.')}` : '') + pick(['', '', '+build.7']);
  });
}
