import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TarballWarning } from '../../src/tarballs/index.ts';
import type { TarballEntry } from '../support/tarball-builder.ts';
import { scanEntries } from './scan-bytes.ts';

const file = (path: string): TarballEntry => ({ path: `package/${path}`, content: 'x' });

async function warningsOf(...entries: TarballEntry[]): Promise<Partial<Record<TarballWarning['code'], string[]>>> {
  const { warnings } = await scanEntries(...entries);
  for (const { count, paths } of warnings) assert.equal(paths.length, Math.min(count, 4));
  return Object.fromEntries(warnings.map(({ code, paths }) => [code, paths.toSorted()]));
}

test('ordinary names give no warning', async () => {
  const names = [
    'a',
    'b/a',
    'B.js',
    'lib/index.js',
    'com',
    'com10',
    'console.js',
    'nul-device',
    '.npmignore',
    '..a',
    'é',
  ];
  assert.deepEqual(await warningsOf(...names.map(file), file('a'), { path: 'package/lib/' }), {});
});

test('names that differ only in case or in the form of accents are reported', async () => {
  for (const [one, other] of [
    ['README.md', 'readme.md'],
    ['lib/A.js', 'lib/a.js'],
    ['Lib/a.js', 'lib/a.js'],
    ['\u00e9.txt', 'e\u0301.txt'],
    ['\u00c9.txt', 'e\u0301.txt'],
    ['\u212a', 'k'],
  ] as const) {
    const expected = { name_collision: [one, other].toSorted() };
    assert.deepEqual(await warningsOf(file(one), file('x'), file(other)), expected);
    assert.deepEqual(await warningsOf(file(other), file(one)), expected);
  }
});

test('a file and a folder that differ only in case are reported, two folders are not, since they merge', async () => {
  assert.deepEqual(await warningsOf(file('a'), file('a.js'), file('A/b')), { name_collision: ['A/b', 'a'] });
  assert.deepEqual(await warningsOf(file('A/b'), file('a')), { name_collision: ['A/b', 'a'] });
  assert.deepEqual(await warningsOf({ path: 'package/A/' }, file('a')), { name_collision: ['A', 'a'] });
  assert.deepEqual(await warningsOf({ path: 'package/A/' }, { path: 'package/a/' }, file('A/x'), file('a/y')), {});
});

test('names that Windows cannot hold are reported', async () => {
  for (const name of [
    'nul',
    'NUL',
    'con.txt',
    'lib/aux.js',
    'com1',
    'LPT9.log',
    'a:b',
    'C:/x',
    'what?',
    'a|b',
    'a.',
    'a ',
    'b./c',
  ])
    assert.deepEqual(await warningsOf(file(name)), { windows_name: [name] });
});

test('the names are counted, and some of them listed', async () => {
  const { warnings } = await scanEntries(...Array.from({ length: 30 }, (_, index) => file(`${index}:`)));
  assert.deepEqual(warnings, [{ code: 'windows_name', count: 30, paths: ['0:', '1:', '2:', '3:'] }]);
});
