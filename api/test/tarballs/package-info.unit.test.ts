import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPackageInfo, type PackageLinks } from '../../src/tarballs/package-info.ts';

test('a description is trimmed and cut, but never within a character', () => {
  const read = (description: unknown) => readPackageInfo({ description }).description;
  assert.equal(read('  Imports GeoPackages.\n'), 'Imports GeoPackages.');
  assert.equal(read('a\0b'), 'ab');
  assert.equal(read('é'.repeat(3000)), 'é'.repeat(2000));
  assert.equal(read(`${'a'.repeat(1999)}🚢`), 'a'.repeat(1999));
  assert.equal(read(`${'a'.repeat(1998)}🚢`), `${'a'.repeat(1998)}🚢`);
  assert.equal(read('a\ud800b'), 'a\ufffdb');
  for (const value of [undefined, null, '', ' \n', 12, ['a'], { en: 'a' }]) assert.equal(read(value), undefined);
});

test('keywords are 20 visible texts of 50 characters, each once', () => {
  const read = (keywords: unknown) => readPackageInfo({ keywords }).keywords;
  assert.deepEqual(read(['geo', ' geo ', 'data fair']), ['geo', 'data fair']);
  assert.deepEqual(read('geo, tiles,,geo'), ['geo', 'tiles']);
  const many = Array.from({ length: 30 }, (_, index) => `k${index}`);
  assert.deepEqual(read(many), many.slice(0, 20));
  assert.deepEqual(read(['a'.repeat(51), 'b'.repeat(50)]), ['b'.repeat(50)]);
  assert.deepEqual(read(['a\u200bb', 'a\nb', '', 1, null, {}, 'fine']), ['fine']);
  for (const value of [undefined, null, [], '', {}, 12]) assert.equal(read(value), undefined);
});

const REPOSITORIES: [unknown, string | undefined][] = [
  ['acme/import-gpkg', 'https://github.com/acme/import-gpkg'],
  ['github:acme/import-gpkg', 'https://github.com/acme/import-gpkg'],
  ['gitlab:acme/import-gpkg', 'https://gitlab.com/acme/import-gpkg'],
  ['bitbucket:acme/import-gpkg', 'https://bitbucket.org/acme/import-gpkg'],
  ['git+https://github.com/acme/import-gpkg.git', 'https://github.com/acme/import-gpkg'],
  ['git://github.com/acme/import-gpkg.git', 'https://github.com/acme/import-gpkg'],
  ['git@github.com:acme/import-gpkg.git', 'https://github.com/acme/import-gpkg'],
  ['git+ssh://git@github.com/acme/import-gpkg.git', 'https://github.com/acme/import-gpkg'],
  ['https://user:secret@github.com/acme/import-gpkg', 'https://github.com/acme/import-gpkg'],
  [{ type: 'git', url: 'git+https://git.example.org/acme/x.git' }, 'https://git.example.org/acme/x'],
  ['git+https://user:secret@git.example.org/acme/x.git', 'https://git.example.org/acme/x'],
  ['http://git.example.org/acme/x', 'http://git.example.org/acme/x'],
  ['git+ssh://git@git.example.org/acme/x.git', undefined],
  ['file:../x', undefined],
  ['javascript:alert(1)', undefined],
  [{ url: {} }, undefined],
  [12, undefined],
];

test('a repository becomes the address of its page', () => {
  for (const [repository, url] of REPOSITORIES)
    assert.equal(readPackageInfo({ repository }).links?.repository, url, JSON.stringify(repository));
});

test('links are http or https without credentials; others are left out', () => {
  const read = (homepage: unknown, bugs?: unknown): PackageLinks | undefined =>
    readPackageInfo({ homepage, bugs }).links;
  assert.deepEqual(read('https://example.org', { url: 'https://example.org/issues', email: 'a@example.org' }), {
    homepage: 'https://example.org',
    issues: 'https://example.org/issues',
  });
  assert.deepEqual(read('https://user:secret@example.org/x'), { homepage: 'https://example.org/x' });
  for (const value of ['javascript:alert(1)', 'data:text/html,x', 'ftp://example.org', '//example.org', '', 1, null])
    assert.equal(read(value, { url: value }), undefined, String(value));
  assert.equal(read(`https://example.org/${'a'.repeat(3000)}`), undefined);
});

test('whatever a package.json holds, what is read of it is short, and none of it fails the upload', () => {
  const pieces: unknown[] = [
    '',
    'a',
    '%',
    '%zz',
    'github:',
    'github:%E0%A4%A/x',
    'git+https://',
    'https://[',
    'a/b/c',
    '@',
    '#'.repeat(5000),
    '\ud800',
    '\0',
    '{}',
    null,
    0,
    true,
    [],
    {},
    ['x', {}],
    { url: '%' },
    { url: 'https://%' },
  ];
  for (const one of pieces)
    for (const other of pieces) {
      const value = typeof one === 'string' && typeof other === 'string' ? one + other : one;
      const info = readPackageInfo({
        description: value,
        keywords: [one, other],
        repository: value,
        homepage: other,
        bugs: one,
      });
      assert.ok(JSON.stringify(info).isWellFormed());
      assert.ok(JSON.stringify(info).length < 20_000);
      for (const link of Object.values(info.links ?? {})) assert.match(link as string, /^https?:/i);
    }
});
