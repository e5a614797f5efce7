// `--bundle` in workspaces of npm, pnpm and yarn, and with `file:` dependencies: the versions of the lock file, and
// what the plug-in requires at run time.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { repositoryRoot } from '../../scripts/runtime.ts';
import { ensureYarn } from '../../scripts/test-programs.ts';
import { messageOf, npmInstall, packInto, writeFiles } from './packages.ts';

const PNPM = 'pnpm@10.34.9';
const run = promisify(execFile);
const scratch = mkdtempSync(join(tmpdir(), 'berth-workspaces-'));
after(() => {
  rmSync(scratch, { recursive: true });
});
let count = 0;
const next = () => join(scratch, String(++count));

/**
 * The plug-in depends on another package of the workspace, which depends on a third one and on another version of
 * semver. At the root is a third version, of a development tool.
 */
const workspaceFiles = (local: string) => ({
  'package.json': { name: 'root', private: true, workspaces: ['packages/*'], devDependencies: { semver: '6.3.1' } },
  'packages/plugin/package.json': {
    name: '@acme/plugin',
    version: '1.0.0',
    dependencies: { 'is-odd': '3.0.1', 'semver': '5.7.1', '@acme/lib': local },
    devDependencies: { 'is-number': '7.0.0' },
  },
  'packages/plugin/index.js': `module.exports = [require('semver/package.json').version, ...require('@acme/lib')];`,
  'packages/lib/package.json': {
    name: '@acme/lib',
    version: '1.2.0',
    scripts: { prepack: 'echo "module.exports = require(\'./main.js\');" > index.js' },
    dependencies: { 'semver': '7.7.1', '@acme/core': local },
  },
  'packages/lib/main.js': `module.exports = [require('semver/package.json').version, require('@acme/core')];`,
  'packages/core/package.json': { name: '@acme/core', version: '0.3.0' },
  'packages/core/index.js': `module.exports = 'core';`,
});

/** Lets newer versions match than those that are locked. */
function loosen(folder: string, lockFile: string): void {
  for (const file of ['packages/plugin/package.json', lockFile]) {
    const text = readFileSync(join(folder, file), 'utf8');
    const loose = text
      .replaceAll('"semver":"5.7.1"', '"semver":"^5.7.1"')
      .replaceAll('"semver": "5.7.1"', '"semver": "^5.7.1"');
    writeFileSync(join(folder, file), loose.replace('specifier: 5.7.1', 'specifier: ^5.7.1'));
  }
}

const requirePlugin = (folder: string): unknown =>
  JSON.parse(
    execFileSync(process.execPath, ['-p', 'JSON.stringify(require("."))'], { cwd: folder, encoding: 'utf8' }),
  );

describe('--bundle in a workspace of npm', () => {
  const root = next();
  const source = join(root, 'packages/plugin');
  before(async () => {
    writeFiles(root, workspaceFiles('*'));
    await npmInstall(root);
    loosen(root, 'package-lock.json');
  });

  test('bundles what the lock file of the root says, and other packages of the workspace', async () => {
    const before = readdirSync(root, { recursive: true, encoding: 'utf8' });
    const target = next();
    const { manifest, versions } = await packInto(target, { source, bundle: true });
    assert.deepEqual(versions, {
      '@acme/core': '0.3.0',
      '@acme/lib': '1.2.0',
      '@acme/lib/node_modules/semver': '7.7.1',
      'is-number': '6.0.0',
      'is-odd': '3.0.1',
      'semver': '5.7.1',
    });
    assert.deepEqual(requirePlugin(target), ['5.7.1', '7.7.1', 'core']);
    assert.partialDeepStrictEqual(manifest, {
      dependencies: { 'is-odd': '3.0.1', 'semver': '^5.7.1', '@acme/lib': '1.2.0' },
      bundleDependencies: ['is-odd', 'semver', '@acme/lib'],
    });
    // The prepack script of lib has run in the workspace, as it does when lib itself is packed.
    assert.deepEqual(
      readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
        (it) => !before.includes(it) && !it.includes('node_modules'),
      ),
      ['packages/lib/index.js'],
    );
  });

  test('says which folder lacks what', async () => {
    const other = writeFiles(join(root, 'other'), {
      'package.json': { name: 'other', version: '1.0.0', dependencies: { 'is-odd': '3.0.1' } },
    });
    assert.equal(
      await messageOf(packInto(next(), { source: other, bundle: true })),
      `this is a folder of the workspace ${root}, whose package-lock.json does not have it: run npm install there, ` +
        'and commit package-lock.json',
    );
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: object };
    const packages = Object.entries(lock.packages).filter(([place]) => !place.endsWith('/is-number'));
    const broken = writeFiles(next(), {
      ...workspaceFiles('*'),
      'package-lock.json': { packages: Object.fromEntries(packages) },
    });
    assert.match(
      await messageOf(packInto(next(), { source: join(broken, 'packages/plugin'), bundle: true })),
      /^no lock file has is-number, which is-odd requires: run npm install and commit package-lock\.json$/,
    );
  });
});

describe('--bundle with pnpm', () => {
  before(async () => {
    const tools = next();
    await run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--prefix', tools, PNPM]);
    process.env['PATH'] = [join(tools, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
  });

  test('a workspace, with the versions of its lock file, without links', async () => {
    const root = writeFiles(next(), {
      ...workspaceFiles('workspace:*'),
      'pnpm-workspace.yaml': 'packages: [packages/*]\n',
    });
    writeFiles(root, { 'packages/lib/index.js': `module.exports = require('./main.js');` });
    await run('pnpm', ['install'], { cwd: root });
    loosen(root, 'pnpm-lock.yaml');
    const target = next();
    const { manifest, versions } = await packInto(target, { source: join(root, 'packages/plugin'), bundle: true });
    assert.deepEqual(requirePlugin(target), ['5.7.1', '7.7.1', 'core']);
    assert.equal(versions['semver'], '5.7.1');
    assert.partialDeepStrictEqual(manifest, {
      dependencies: { '@acme/lib': '1.2.0' },
      bundleDependencies: ['is-odd', 'semver', '@acme/lib'],
    });
    assert.doesNotMatch(readFileSync(join(target, 'node_modules/@acme/lib/package.json'), 'utf8'), /workspace:/);
  });

  test('a single package', async () => {
    const source = writeFiles(next(), {
      'package.json': { name: 'p', version: '1.0.0', dependencies: { 'is-odd': '3.0.1' } },
    });
    await run('pnpm', ['install', '--lockfile-only'], { cwd: source });
    const { versions } = await packInto(next(), { source, bundle: true });
    assert.deepEqual(versions, { 'is-number': '6.0.0', 'is-odd': '3.0.1' });
  });
});

test('a plug-in in a workspace of yarn is published without --bundle, with the settings of the guide', async () => {
  const guide = readFileSync(join(repositoryRoot, 'docs/guides/monorepos.md'), 'utf8');
  const settings = JSON.parse(/```json\n([^]*?)```/.exec(guide)?.[1] ?? '') as object;
  const files = workspaceFiles('workspace:*');
  const root = writeFiles(next(), {
    'package.json': files['package.json'],
    '.yarnrc.yml': 'nodeLinker: node-modules\nenableScripts: false\n',
    'yarn.lock': '',
    'packages/plugin/package.json': {
      name: '@acme/plugin',
      version: '1.0.0',
      dependencies: { 'is-odd': '3.0.1', 'semver': '5.7.1' },
      devDependencies: { ms: '2.1.3' },
      ...settings,
    },
    'packages/plugin/index.js': `module.exports = [require('semver/package.json').version, require('is-odd')(3)];`,
  });
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const env = { ...process.env, YARN_NPM_REGISTRY_SERVER: registry, YARN_ENABLE_IMMUTABLE_INSTALLS: 'false' };
  await run(process.execPath, [await ensureYarn(), 'install'], { cwd: root, env });
  const target = next();
  const { versions } = await packInto(target, { source: join(root, 'packages/plugin') });
  assert.deepEqual(versions, { 'is-number': '6.0.0', 'is-odd': '3.0.1', 'semver': '5.7.1' });
  assert.deepEqual(requirePlugin(target), ['5.7.1', true]);
});

test('--bundle in a workspace of yarn says how to do without', async () => {
  const root = writeFiles(next(), { ...workspaceFiles('workspace:*'), 'yarn.lock': '' });
  assert.equal(
    await messageOf(packInto(next(), { source: join(root, 'packages/plugin'), bundle: true })),
    `--bundle reads lock files of npm and pnpm, and ${root} is a workspace of yarn: keep the dependencies in this ` +
      'folder (installConfig.hoistingLimits), run yarn install, name them in bundleDependencies, and publish ' +
      'without --bundle',
  );
});

describe('--bundle with file: dependencies', () => {
  test('packs the folder and the tarball into the package, with what they depend on', async () => {
    const folder = writeFiles(next(), {
      'sibling/package.json': { name: 'sibling', version: '1.1.0', dependencies: { 'is-odd': '3.0.1' } },
      'sibling/index.js': `module.exports = require('is-odd')(3);`,
      'packed/package/package.json': { name: 'packed', version: '2.0.0' },
      'plugin/package.json': {
        name: 'plugin',
        version: '1.0.0',
        dependencies: { sibling: 'file:../sibling', packed: 'file:../packed.tgz' },
      },
      'plugin/index.js': `module.exports = require('sibling');`,
    });
    execFileSync('tar', ['czf', 'packed.tgz', '-C', 'packed', 'package'], { cwd: folder });
    const source = join(folder, 'plugin');
    await npmInstall(source);
    assert.equal(
      await messageOf(packInto(next(), { source, bundle: true })),
      'no lock file has is-odd, which sibling requires: run npm install in ../sibling',
    );
    await npmInstall(join(folder, 'sibling'));
    const target = next();
    const { manifest, versions } = await packInto(target, { source, bundle: true });
    assert.deepEqual(versions, { 'is-number': '6.0.0', 'is-odd': '3.0.1', 'packed': '2.0.0', 'sibling': '1.1.0' });
    assert.equal(requirePlugin(target), true);
    assert.deepEqual(manifest['dependencies'], { sibling: '1.1.0', packed: '2.0.0' });
  });
});
