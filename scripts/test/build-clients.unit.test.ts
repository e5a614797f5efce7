import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { builtinModules } from 'node:module';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import ts from 'typescript';
import { buildClients, CLIENTS_DIRECTORY } from '../build-clients.ts';
import { repositoryRoot } from '../runtime.ts';

const NAMES = ['cli', 'lib-node'] as const;
const SERVER_PACKAGE = '@berth-registry/api';
const run = promisify(execFile);
const tarball = (name: string) => join(CLIENTS_DIRECTORY, `${name}.tgz`);
const digestOf = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

before(() => buildClients({ ifChanged: true }));

test('builds are reproducible', async () => {
  const digests = () => Promise.all(NAMES.map((name) => digestOf(tarball(name))));
  const earlier = await digests();
  await buildClients({ ifChanged: false });
  assert.deepEqual(await digests(), earlier);
});

test('clients are rebuilt only if their sources have changed', async () => {
  const times = () => Promise.all(NAMES.map(async (name) => (await stat(tarball(name))).mtimeMs));
  const earlier = await times();
  await buildClients({ ifChanged: true });
  assert.deepEqual(await times(), earlier);
  await writeFile(join(CLIENTS_DIRECTORY, 'sources.sha256'), 'of other sources');
  await buildClients({ ifChanged: true });
  assert.ok((await times()).every((time, index) => time > earlier[index]!));
});

for (const name of NAMES) {
  describe(`the tarball of ${name}`, () => {
    let folder: string;
    let files: string[];
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'berth-tarball-'));
      await run('tar', ['-xzf', tarball(name), '-C', folder]);
      files = globSync('**/*', { cwd: join(folder, 'package'), withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => posix.relative(join(folder, 'package'), join(entry.parentPath, entry.name)));
    });
    after(() => rm(folder, { recursive: true }));
    const read = (path: string) => readFile(join(folder, 'package', path), 'utf8');
    /** The first group of each match, with its file. */
    const findInCode = async (pattern: RegExp) => {
      const matches = await Promise.all(
        files
          .filter((path) => path.endsWith('.js'))
          .map(async (path) => {
            return [...(await read(path)).matchAll(pattern)].map(([, group = '']) => [path, group] as const);
          }),
      );
      return matches.flat();
    };
    const readJson = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;

    test('has no dependencies and no scripts', async () => {
      const manifest = await readJson(join(folder, 'package/package.json'));
      const { name: packageName, version } = await readJson(join(repositoryRoot, name, 'package.json'));
      assert.deepEqual([manifest['name'], manifest['version']], [packageName, version]);
      assert.deepEqual(
        Object.keys(manifest).filter((field) => /dependencies|scripts|private/i.test(field)),
        [],
      );
    });

    test('imports only its own files and built-in modules', async () => {
      const sources = files.filter((path) => /\.(js|ts)$/.test(path));
      assert.ok(sources.length > 5);
      for (const path of sources) {
        for (const { fileName: imported } of ts.preProcessFile(await read(path), true, true).importedFiles) {
          const isOwn = imported.startsWith('.') && files.includes(targetOf(path, imported));
          const isOfNode = builtinModules.includes(imported.replace('node:', ''));
          const isServer = name === 'cli' && imported === SERVER_PACKAGE;
          assert.ok(isOwn || isOfNode || isServer, `${path} imports ${imported}`);
        }
      }
    });

    if (name === 'cli')
      test('loads tus-js-client only for large uploads', async () => {
        const chunks = (await findInCode(/^\/\/ node_modules\/(tus-js-client)\//gm)).map(([path]) => path);
        const [chunk, ...others] = new Set(chunks);
        assert.ok(chunk && others.length === 0, [...new Set(chunks)].join());
        const importers = await findInCode(new RegExp(`(\\bimport\\(|\\bfrom )"\\./${posix.basename(chunk)}"`, 'g'));
        assert.deepEqual([...new Set(importers.map(([, how]) => how))], ['import(']);
      });

    test('contains the programs of its worker threads beside the code that starts them', async () => {
      const started = await findInCode(/new Worker\(new URL\("([^"]+)"/g);
      assert.deepEqual(
        started.map(([path, worker]) => targetOf(path, worker)),
        ['dist/unpack-worker.js'],
      );
      assert.ok(files.includes('dist/unpack-worker.js'));
    });

    test('contains the licences of Berth and of all bundled packages', async () => {
      assert.equal(await read('LICENSE'), await readFile(join(repositoryRoot, 'LICENSE'), 'utf8'));
      const matches = await findInCode(/^\/\/ node_modules\/((?:@[^/]+\/)?[^/]+)\//gm);
      const bundled = new Set(matches.map(([, packageName]) => packageName));
      assert.ok(bundled.has('tar'));
      const licences = await read('LICENSES.md');
      for (const packageName of bundled) assert.ok(licences.includes(`## ${packageName} - `), packageName);
    });
  });
}

/** The file that an import names; declarations import `./x.ts` for `x.d.ts`. */
function targetOf(from: string, imported: string): string {
  const path = posix.join(posix.dirname(from), imported);
  return from.endsWith('.d.ts') ? path.replace(/\.ts$/, '.d.ts') : path;
}
