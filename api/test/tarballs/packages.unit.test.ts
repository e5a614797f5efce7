import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TarballScan } from '../../src/tarballs/index.ts';
import { npmTarball } from '../support/tarball-builder.ts';
import { MANIFEST, scanBytes, scanEntries } from './scan-bytes.ts';

async function scanFiles(files: Record<string, string | object>, manifest = {}): Promise<TarballScan> {
  return scanBytes(await npmTarball({ manifest, files }));
}

test('bundled packages are listed at any depth, sorted by path', async () => {
  const { packages } = await scanFiles({
    'node_modules/b/package.json': { name: 'b', version: '2.0.0', license: 'MIT' },
    'node_modules/@s/x/package.json': {
      name: '@s/x',
      version: '1.0.0',
      licenses: [{ type: 'MIT' }, { type: 'GPL-2.0' }],
    },
    'node_modules/b/node_modules/@s/y/package.json': { name: '@s/y', version: '3.0.0' },
    'node_modules/.store/c@1/node_modules/c/package.json': { name: 'c', version: '1.0.0' },
    'node_modules/b/lib/node_modules/d/package.json': { name: 'd', version: '1.0.0' },
    'node_modules/alias/package.json': { name: 'real-name', version: '1.0.0' },
  });
  assert.deepEqual(packages, [
    { name: 'c', version: '1.0.0', path: 'node_modules/.store/c@1/node_modules/c' },
    { name: '@s/x', version: '1.0.0', licence: 'MIT OR GPL-2.0', path: 'node_modules/@s/x' },
    { name: 'real-name', version: '1.0.0', path: 'node_modules/alias' },
    { name: 'b', version: '2.0.0', licence: 'MIT', path: 'node_modules/b' },
    { name: 'd', version: '1.0.0', path: 'node_modules/b/lib/node_modules/d' },
    { name: '@s/y', version: '3.0.0', path: 'node_modules/b/node_modules/@s/y' },
  ]);
});

test('a package.json that is not at the root of a bundled package is ignored', async () => {
  const { packages } = await scanFiles(
    Object.fromEntries(
      [
        'node_modules/package.json',
        'node_modules/@s/package.json',
        'node_modules/.cache/package.json',
        'node_modules/b/esm/package.json',
        'node_modules/@s/x/esm/package.json',
        'lib/package.json',
        'examples/node_modules/e/package.json',
        'node_modules/b/package.json.bak',
      ].map((path) => [path, { name: 'no', version: '1.0.0', scripts: { install: 'node-gyp rebuild' } }]),
    ),
  );
  assert.deepEqual(packages, []);
});

test('a bundled package with an invalid package.json is listed by its folder', async () => {
  const { packages } = await scanFiles({
    'node_modules/@s/huge/package.json': JSON.stringify({ name: 'x', version: '1.0.0' }).padEnd(128 * 1024 + 1),
    'node_modules/broken/package.json': '{',
    'node_modules/odd/package.json': { name: ['a'], version: 7, license: false },
    'node_modules/unprintable/package.json': { name: 'a\0b', version: '1\n', license: 'x'.repeat(2000) },
  });
  assert.deepEqual(
    packages.map(({ name, version }) => [name, version]),
    [
      ['@s/huge', ''],
      ['broken', ''],
      ['odd', ''],
      ['unprintable', ''],
    ],
  );
});

test('of many large package.json files, 32 MiB are read; packages beyond are listed by their folders', async () => {
  const sizeBytes = 128 * 1024;
  const count = (32 * 1024 * 1024) / sizeBytes + 3;
  const content = JSON.stringify({ name: 'read', version: '1.0.0' }).padEnd(sizeBytes);
  const { packages } = await scanEntries(
    ...Array.from({ length: count }, (_unused, index) => ({
      path: `package/node_modules/a${String(index).padStart(3, '0')}/package.json`,
      content,
    })),
  );
  assert.equal(packages.length, count);
  // The package's own manifest counts as well.
  assert.deepEqual(
    packages.slice(-5).map(({ name, version }) => [name, version]),
    [['read', '1.0.0'], ...[255, 256, 257, 258].map((index) => [`a${index}`, ''])],
  );
});

test('a package whose package.json is a hard link to that of another package is a copy of it', async () => {
  const { packages } = await scanEntries(
    { path: 'package/node_modules/a/package.json', content: '{"name":"a","version":"1.0.0","license":"MIT"}' },
    {
      path: 'package/node_modules/b/node_modules/a/package.json',
      type: 'Link',
      linkpath: 'package/node_modules/a/package.json',
    },
  );
  assert.deepEqual(
    packages,
    ['node_modules/a', 'node_modules/b/node_modules/a'].map((path) => ({
      name: 'a',
      version: '1.0.0',
      licence: 'MIT',
      path,
    })),
  );
});

test('native code is found in built files, sources to build and prebuilds of bundled packages', async () => {
  for (const path of [
    'node_modules/a/build/Release/a.node',
    'node_modules/@s/a/a.node',
    'node_modules/a/binding.gyp',
    'node_modules/a/deps/binding.gyp',
    'node_modules/a/prebuilds/linux-x64/readme.txt',
    'node_modules/a/node_modules/b/b.node',
  ])
    assert.equal((await scanFiles({ [path]: '' })).hasNativeModules, true, path);
  assert.equal((await scanEntries({ path: 'package/node_modules/a/prebuilds/' })).hasNativeModules, true);
});

test("the package's own native code is told apart from that of bundled packages", async () => {
  for (const path of ['build/Release/own.node', 'binding.gyp', 'deps/binding.gyp', 'prebuilds/linux-x64/own.txt']) {
    const scan = await scanFiles({ [path]: '' });
    assert.deepEqual([scan.hasNativeCode, scan.hasNativeModules], [true, false], path);
  }
  const built = await scanFiles({}, { scripts: { install: 'node-gyp rebuild' } });
  assert.deepEqual([built.hasNativeCode, built.hasNativeModules], [true, false]);
  const bundled = await scanFiles({ 'node_modules/a/binding.gyp': '' });
  assert.deepEqual([bundled.hasNativeCode, bundled.hasNativeModules], [false, true]);
});

test('files that only resemble native code do not count', async () => {
  const { hasNativeModules, hasNativeCode } = await scanFiles(
    {
      'my-prebuilds/own.txt': '',
      'own.node.js': '',
      'node_modules/a/prebuilds': 'a file',
      'node_modules/a/my-binding.gyp': '',
      'node_modules/a/a.node.js': '',
      'node_modules/a.node/index.js': '',
    },
    { scripts: { test: 'node-gyp rebuild' } },
  );
  assert.deepEqual([hasNativeModules, hasNativeCode], [false, false]);
});

test('an install script that calls a native builder counts as native code', async () => {
  for (const script of [
    'node-gyp rebuild',
    'prebuild-install || node-gyp rebuild',
    'node-gyp-build',
    'node-gyp-build "node preinstall.js"',
    '(node-pre-gyp install --fallback-to-build)',
    'npx --no-install prebuild-install',
    'node ../node-gyp/bin/node-gyp.js rebuild',
  ]) {
    for (const name of ['preinstall', 'install', 'postinstall']) {
      const scan = await scanFiles({
        'node_modules/a/package.json': { name: 'a', version: '1.0.0', scripts: { [name]: script } },
      });
      assert.deepEqual([scan.hasNativeModules, scan.hasInstallScripts], [true, true], `${name}: ${script}`);
    }
  }
});

test('scripts that npm does not run at installation do not count', async () => {
  const scripts = {
    test: 'node-gyp rebuild',
    prepare: 'node-gyp rebuild',
    prepublishOnly: 'prebuild-install',
    install: '',
    postinstall: 7,
  };
  const scan = await scanFiles(
    { 'node_modules/a/package.json': { name: 'a', version: '1.0.0', scripts } },
    { scripts },
  );
  assert.deepEqual([scan.hasNativeModules, scan.hasInstallScripts], [false, false]);
});

test('install scripts of the package itself and of bundled packages are reported', async () => {
  const scripts = { postinstall: 'node setup.js' };
  assert.equal((await scanFiles({}, { scripts })).hasInstallScripts, true);
  const bundled = await scanFiles({ 'node_modules/a/package.json': { name: 'a', version: '1.0.0', scripts } });
  assert.deepEqual([bundled.hasNativeModules, bundled.hasInstallScripts], [false, true]);
  for (const odd of [null, 'text', [], { install: ['a'] }])
    assert.equal((await scanFiles({}, { scripts: odd })).hasInstallScripts, false);
});

test('a tarball without dependencies has no packages, native code or install scripts', async () => {
  const { packages, hasNativeModules, hasInstallScripts } = await scanEntries({
    ...MANIFEST,
    path: 'package/copy.json',
  });
  assert.deepEqual(
    { packages, hasNativeModules, hasInstallScripts },
    { packages: [], hasNativeModules: false, hasInstallScripts: false },
  );
});
