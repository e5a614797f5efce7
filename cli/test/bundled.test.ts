// Bundled dependencies that are missing from the tarball stop it before it is published.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { messageOf, packInto, writeFiles } from './packages.ts';

const scratch = mkdtempSync(join(tmpdir(), 'berth-bundled-'));
after(() => {
  rmSync(scratch, { recursive: true });
});
let count = 0;
const next = () => join(scratch, String(++count));

type Files = Record<string, object>;
const installed = (name: string, fields: object = {}): Files => ({
  [`node_modules/${name}/package.json`]: { name: name.replace(/^.*node_modules\//, ''), version: '1.0.0', ...fields },
});
const FOLDER_REMEDY = 'run npm install before, or use --bundle';

describe('bundled dependencies', () => {
  const cases: Record<string, { manifest: object; files?: Files; missing: string | undefined }> = {
    'an array, all there': {
      manifest: { dependencies: { a: '1', b: '1' }, bundleDependencies: ['a'] },
      files: installed('a'),
      missing: undefined,
    },
    'an array, one missing': {
      manifest: { dependencies: { 'a': '1', '@x/b': '1' }, bundleDependencies: ['a', '@x/b'] },
      files: installed('a'),
      missing: '@x/b',
    },
    'the other spelling, all missing': {
      manifest: { dependencies: { a: '1', b: '1' }, bundledDependencies: ['a', 'b'] },
      missing: 'a, b',
    },
    'true names all dependencies': {
      manifest: { dependencies: { a: '1', b: '1' }, bundleDependencies: true },
      files: installed('a'),
      missing: 'b',
    },
    'false names none': {
      manifest: { dependencies: { a: '1' }, bundleDependencies: false },
      missing: undefined,
    },
    'optional dependencies may be missing, also those of others': {
      manifest: { dependencies: { a: '1' }, optionalDependencies: { o: '1' }, bundleDependencies: ['a', 'o'] },
      files: installed('a', { dependencies: { p: '1' }, optionalDependencies: { p: '1' } }),
      missing: undefined,
    },
    'a dependency of a bundled one is there, beside it or inside': {
      manifest: { dependencies: { a: '1' }, bundleDependencies: ['a'] },
      files: {
        ...installed('a', { dependencies: { b: '1', c: '1' } }),
        ...installed('b'),
        ...installed('a/node_modules/c', { dependencies: { b: '1' } }),
      },
      missing: undefined,
    },
    'a dependency of a bundled one is missing': {
      manifest: { dependencies: { a: '1' }, bundleDependencies: ['a'] },
      files: { ...installed('a', { dependencies: { b: '1' } }), ...installed('b', { dependencies: { c: '1' } }) },
      missing: 'c (required by b)',
    },
  };
  for (const [name, { manifest, files = {}, missing }] of Object.entries(cases))
    test(name, async () => {
      const source = writeFiles(next(), { 'package.json': { name: 'p', version: '1.0.0', ...manifest }, ...files });
      assert.equal(
        await messageOf(packInto(next(), { source })),
        missing === undefined
          ? 'no error'
          : `not in the tarball, although bundleDependencies names them: ${missing}; ${FOLDER_REMEDY}`,
      );
    });

  test('a tarball that is given by its path is checked as well', async () => {
    const source = writeFiles(next(), {
      'package/package.json': { name: 'p', version: '1.0.0', bundleDependencies: ['a'], dependencies: { a: '1' } },
    });
    const tarball = `${next()}.tgz`;
    execFileSync('tar', ['czf', tarball, '-C', source, 'package']);
    assert.equal(
      await messageOf(packInto(next(), { source: tarball })),
      'not in the tarball, although bundleDependencies names them: a; pack it again after npm install, or publish ' +
        'its folder with --bundle',
    );
  });

  test('npm keeps dependencies elsewhere in a workspace, and the error says where', async () => {
    const root = writeFiles(next(), {
      'package.json': { workspaces: ['p'] },
      ...installed('a'),
      'p/package.json': { name: 'p', version: '1.0.0', dependencies: { a: '1' }, bundleDependencies: ['a'] },
    });
    assert.equal(
      await messageOf(packInto(next(), { source: join(root, 'p') })),
      `not in the tarball, although bundleDependencies names them: a; npm packs none that ${root}, the root of ` +
        'its workspace, has in its own node_modules: use --bundle',
    );
  });
});

describe('what npm and scripts print when they fail', () => {
  const fail = (script: string, more: object = {}) =>
    messageOf(
      packInto(next(), {
        source: writeFiles(next(), {
          'package.json': { name: 'p', version: '1.0.0', scripts: { prepack: script } },
          'dist/index.html': '',
        }),
        ...more,
      }),
    );

  test('the output of a script and its exit status are shown, without colours', async () => {
    const message = await fail(
      String.raw`echo building; printf 'src/a.ts:3 \033[31merror\033[0m TS2304\r\n' >&2; exit 2`,
    );
    assert.match(message, /^npm pack failed with exit status 2\n[^]*\n {2}src\/a\.ts:3 error TS2304$/);
    assert.match(message, /^ {2}building$/m);
    assert.doesNotMatch(message, /A complete log|"error": \{/);
    assert.match(
      await fail('echo no; exit 3', { root: 'dist' }),
      /^npm run prepack failed with exit status 3\n {2}no$/,
    );
    assert.match(await fail('kill -9 $$'), /^npm pack failed with (?:exit status 137|signal SIGKILL)\n/);
  });

  test('only the last lines of a long output are shown', async () => {
    const message = await fail('seq 1 300000; yes | head -c 100000 | tr -d "\\n"; echo; echo the end; exit 1');
    const lines = message.split('\n');
    assert.ok(lines.length <= 42, `${lines.length} lines`);
    assert.ok(message.length < 12_000, `${message.length} characters`);
    assert.match(message, /^ {2}… \d+ more lines before$/m);
    assert.match(message, /\n {2}the end(?:\n|$)/);
  });

  test('what npm itself says is shown, without its help', async () => {
    const source = writeFiles(next(), {
      'package.json': { name: 'p', version: '1.0.0', dependencies: { 'is-odd': '3.0.1' } },
      'package-lock.json': { name: 'p', version: '1.0.0', lockfileVersion: 3, packages: { '': { name: 'p' } } },
    });
    const message = await messageOf(packInto(next(), { source, bundle: true }));
    assert.match(
      message,
      /^npm ci failed with exit status 1: .*in sync.*\n {2}Missing: is-odd@3\.0\.1 from lock file\n/,
    );
    assert.doesNotMatch(message, /Usage|Options/);
  });
});
