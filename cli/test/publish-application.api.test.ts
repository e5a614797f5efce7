// Applications: one artefact for each minor version, and the output of a build at the root of the package.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ensureArtefact, extractTarball } from '@berth-registry/lib-node';
import { INTERNAL_SECRET, startKeyedRegistry, type KeyedRegistry } from './test-registry.ts';

const WARNING =
  'berth publish: an application needs an index.html at its root: pack its build output, as by --root dist\n';

describe('berth publish of applications', () => {
  let registry: KeyedRegistry;
  let count = 0;
  before(async () => {
    registry = await startKeyedRegistry();
  });
  after(() => registry.stop());

  /** Makes a project of these files. */
  function makeProject(manifest: object, files: Record<string, string>): string {
    const folder = join(registry.scratch, `project-${++count}`);
    for (const [name, content] of Object.entries({ ...files, 'package.json': JSON.stringify(manifest) })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    return folder;
  }
  const application = { name: '@acme/map', version: '2.4.1', registry: { category: 'application' } };
  const dry = async (folder: string, ...words: string[]) => {
    const { status, stdout, stderr } = await registry.berth(['publish', folder, '--dry-run', '--json', ...words]);
    return { status, stderr, id: status === 0 ? (JSON.parse(stdout) as { id: string }).id : undefined };
  };
  /** Publishes, and unpacks the result as a service does. */
  async function publish(folder: string, ...words: string[]) {
    const { id } = await registry.json<{ id: string }>(['publish', folder, ...words]);
    const { path } = await ensureArtefact({
      registryUrl: registry.url,
      secretKey: INTERNAL_SECRET,
      artefactId: id,
      cacheDir: join(registry.scratch, 'cache'),
    });
    const files = readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((it) => !it.isDirectory())
      .map((it) => join(it.parentPath, it.name).slice(path.length + 1))
      .sort();
    return { id, path, files, manifest: JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as object };
  }

  test('the line is that of the option, else of package.json, else minor for applications', async () => {
    const tag = ['--ref', 'v2.4.1'];
    const id = async (manifest: object, ...words: string[]) =>
      (await dry(makeProject({ ...application, ...manifest }, { 'index.html': '' }), ...words)).id;
    for (const [manifest, words, expected] of [
      [{}, tag, '@acme/map@2.4'],
      [{ registry: { category: 'processing' } }, tag, '@acme/map@2'],
      [{ registry: 'jspm' }, tag, '@acme/map@2'],
      [{ registry: {} }, [...tag, '--category', 'application'], '@acme/map@2.4'],
      [{ registry: { line: 'minor' } }, tag, '@acme/map@2.4'],
      [{ registry: { category: 'application', line: 'major' } }, tag, '@acme/map@2'],
      [{ registry: { line: 'minor' } }, [...tag, '--line', 'major'], '@acme/map@2'],
      [{}, [...tag, '--flat'], '@acme-map-2.4'],
      [{ version: '2.4.0-beta.1' }, ['--ref', 'v2.4.0-beta.1'], '@acme/map@2.4'],
      [{}, ['--ref', 'main'], '@acme/map@main'],
      [{}, ['--id', 'own', '--line', 'minor'], 'own'],
    ] as const) {
      assert.equal(await id(manifest, ...words), expected, JSON.stringify([manifest, words]));
    }
    const folder = makeProject({ ...application, registry: { line: 'patch' } }, {});
    assert.deepEqual(
      [await dry(folder, ...tag), await dry(folder, ...tag, '--line', 'patch')].map(({ status, stderr }) => [
        status,
        stderr,
      ]),
      [
        [1, 'berth publish: registry.line in package.json must be "major" or "minor"\n'],
        [2, 'berth publish: --line must be major or minor; see berth publish --help\n'],
      ],
    );
  });

  test('--root packs the content of a folder with an adapted manifest', async () => {
    const folder = makeProject(
      {
        ...application,
        private: true,
        description: 'A map',
        files: ['src'],
        main: './dist/main.js',
        exports: { '.': { types: './dist/main.d.ts', default: './dist/main.js' }, './*': './dist/*' },
        bin: { map: 'dist/main.js', other: 'distant/main.js' },
        bundledDependencies: ['vue'],
        scripts: { prepack: 'echo "[build]" && echo built > dist/built.js', postinstall: 'exit 1' },
      },
      {
        'src/main.ts': '',
        'README.md': '',
        '.npmignore': 'dist',
        '.gitignore': 'dist',
        'dist/index.html': '<!doctype html>',
        'dist/main.js': '',
        'dist/package.json': '{"name":"other","type":"module","files":[]}',
        'dist/.gitignore': '*',
        'dist/.npmignore': '*.map',
        'dist/main.js.map': '',
        'dist/assets/.gitignore': '*',
        'dist/assets/app.js': '',
        'dist/.well-known/x.json': '{}',
        'dist/node_modules/vue/index.js': '',
        'dist/src/kept.js': '',
      },
    );
    const { id, files, manifest } = await publish(folder, '--root', 'dist', '--ref', 'v2.4.1');
    assert.equal(id, '@acme/map@2.4');
    assert.deepEqual(files, [
      '.well-known/x.json',
      'assets/app.js',
      'built.js',
      'index.html',
      'main.js',
      'package.json',
      'src/kept.js',
    ]);
    assert.deepEqual(manifest, {
      ...application,
      private: true,
      description: 'A map',
      main: './main.js',
      exports: { '.': { types: './main.d.ts', default: './main.js' }, './*': './*' },
      bin: { map: 'main.js', other: 'distant/main.js' },
      type: 'module',
    });
  });

  test('--root and --bundle together add the locked dependencies', async () => {
    const folder = makeProject(
      { ...application, name: 'rooted', dependencies: { semver: '7.8.6' } },
      { 'build/out/index.html': '' },
    );
    const words = ['install', '--package-lock-only', '--no-audit', '--no-fund', '--prefer-offline'];
    execFileSync('npm', words, { cwd: folder, stdio: 'ignore' });
    const { files } = await publish(folder, '--root', 'build/out/', '--bundle', '--ref', 'main');
    assert.ok(files.includes('index.html') && files.includes('node_modules/semver/index.js'), files.join());
  });

  test('--root refuses what cannot be packed', async () => {
    const folder = makeProject(application, { 'dist/index.html': '', 'file': '', 'linked/index.html': '' });
    symlinkSync('index.html', join(folder, 'linked/link.html'));
    execFileSync('npm', ['pack', '--silent', '--pack-destination', registry.scratch], { cwd: folder });
    const failure = async (source: string, root: string) =>
      (await dry(source, '--ref', 'main', '--root', root)).stderr.replaceAll(folder, '…');
    for (const root of ['.', '..', '../x', '/tmp', 'dist/..'])
      assert.equal(await failure(folder, root), 'berth publish: --root must be a folder inside …\n', root);
    for (const root of ['nowhere', 'file'])
      assert.equal(
        await failure(folder, root),
        `berth publish: there is no folder …/${root}: build the package before it is published\n`,
      );
    assert.equal(
      await failure(folder, 'linked'),
      'berth publish: …/linked/link.html is a symbolic link, which npm does not pack: replace it by a copy\n',
    );
    assert.equal(
      await failure(join(registry.scratch, 'acme-map-2.4.1.tgz'), 'dist'),
      'berth publish: --root requires a folder: a tarball is published unchanged\n',
    );
  });

  test('an application without an index.html at its root is published with a warning', async () => {
    const folder = makeProject(application, { 'dist/index.html': '' });
    assert.equal((await dry(folder, '--ref', 'main')).stderr, WARNING);
    assert.equal((await dry(folder, '--ref', 'main', '--root', 'dist')).stderr, '');
    assert.equal((await dry(folder, '--ref', 'main', '--category', 'processing')).stderr, '');
    const run = (...words: string[]) =>
      registry.berth(['publish', ...words, '--quiet', '--id', 'no-page'], { env: registry.withKey() });
    assert.deepEqual([(await run(folder)).stderr, (await run(folder, '--root', 'dist')).stderr], [WARNING, '']);
    // What counts is the category in the registry.
    const other = makeProject({ name: application.name, version: '1.0.0' }, {});
    const tarball = join(registry.scratch, 'acme-map-1.0.0.tgz');
    execFileSync('npm', ['pack', '--silent', '--pack-destination', registry.scratch], { cwd: other });
    assert.equal((await run(tarball)).stderr, WARNING);
    await extractTarball(createReadStream(tarball), join(registry.scratch, 'unpacked'));
    await writeFile(join(registry.scratch, 'unpacked/index.html'), '');
    assert.equal((await run(join(registry.scratch, 'unpacked'))).stderr, '');
  });
});
