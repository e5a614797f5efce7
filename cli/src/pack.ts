// Makes the tarball to publish, with npm: the package alone, or with its production dependencies bundled.

import { execFile } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { extractTarball } from '@berth-registry/lib-node';
import { stageRoot, type PackageManifest } from './pack-root.ts';

interface Described {
  name: string;
  version: string;
  /** `registry.category` and `registry.line` of package.json, whatever their type. */
  category: unknown;
  line: unknown;
  /** Whether there is an index.html at the root, which an application is served from. */
  hasIndexPage: boolean;
}

export interface PackedPackage extends Described {
  path: string;
  sizeBytes: number;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface PackOptions {
  /** A folder with a package.json, or a tarball, which is published unchanged. */
  source: string;
  /** Bundle the production dependencies, at the versions of the lock file. */
  bundle: boolean;
  /** Run install scripts while bundling. What they build makes the tarball specific to this architecture. */
  scripts: boolean;
  /** Folder in `source` whose content is packed at the root, with the manifest of `source`. */
  root?: string | undefined;
}

const LOCK_FILES = ['npm-shrinkwrap.json', 'package-lock.json'];
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const run = promisify(execFile);

/** Packs into a temporary folder, which is removed when the result is disposed. @throws Error with npm's message */
export async function pack({ source, bundle, scripts, root }: PackOptions): Promise<PackedPackage> {
  const path = resolve(source);
  const folder = await mkdtemp(join(tmpdir(), 'berth-publish-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const isTarball = await stat(path).then(
      (it) => it.isFile(),
      () => {
        throw new Error(`no package found at ${source}`);
      },
    );
    for (const [name, value] of Object.entries({ bundle: bundle || undefined, root })) {
      if (isTarball && value !== undefined)
        throw new Error(`--${name} requires a folder: a tarball is published unchanged`);
    }
    const tarball = isTarball
      ? path
      : root === undefined
        ? await packFolder(path, folder)
        : await packRoot(path, root, folder);
    const packed = bundle ? await bundleDependencies({ tarball, lockFrom: path, folder, scripts }) : tarball;
    return {
      ...(await describeTarball(packed, folder)),
      path: packed,
      sizeBytes: (await stat(packed)).size,
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function packFolder(directory: string, destination: string, words: string[] = []): Promise<string> {
  const [packed] = parseResult(
    await npm(['pack', '--json', '--pack-destination', destination, ...words], directory),
  ) as { filename: string }[];
  if (!packed) throw new Error(`npm pack made no tarball of ${directory}`);
  return join(destination, packed.filename);
}

/** Packs the content of a build folder, after the scripts that npm runs before it packs a folder. */
async function packRoot(directory: string, root: string, folder: string): Promise<string> {
  for (const script of ['prepack', 'prepare']) await npm(['run', script, '--if-present', '--silent'], directory);
  const tree = join(folder, 'root');
  await stageRoot(directory, root, await readManifest(directory, directory), tree);
  return packFolder(tree, folder, ['--ignore-scripts']);
}

async function describeTarball(path: string, folder: string): Promise<Described> {
  const unpacked = join(folder, 'described');
  await extractTarball(createReadStream(path), unpacked);
  const { name, version, registry } = await readManifest(unpacked);
  if (typeof name !== 'string' || typeof version !== 'string')
    throw new Error('package.json must contain name and version');
  const hasIndexPage = existsSync(join(unpacked, 'index.html'));
  return { name, version, category: registry?.category, line: registry?.line, hasIndexPage };
}

/** Unpacks the tarball, installs the locked production dependencies into it, and packs it again. */
async function bundleDependencies({
  tarball,
  lockFrom,
  folder,
  scripts,
}: {
  tarball: string;
  lockFrom: string;
  folder: string;
  scripts: boolean;
}): Promise<string> {
  const tree = join(folder, 'bundled');
  await extractTarball(createReadStream(tarball), tree);
  const manifest = await readManifest(tree);
  const names = Object.keys(manifest.dependencies ?? {});
  if (names.length > 0) {
    await rm(join(tree, 'node_modules'), { recursive: true, force: true });
    if (!(await copyLock(lockFrom, tree)))
      throw new Error(
        '--bundle requires a lock file next to package.json: run npm install and commit package-lock.json',
      );
    await npm(['ci', '--omit=dev', '--no-audit', '--no-fund', ...(scripts ? [] : ['--ignore-scripts'])], tree);
    await writeFile(
      join(tree, 'package.json'),
      `${JSON.stringify({ ...manifest, bundleDependencies: names }, null, 2)}\n`,
    );
    await rm(join(tree, 'package-lock.json'), { force: true });
  }
  return packFolder(tree, await mkdtemp(join(folder, 'packed-')), ['--ignore-scripts']);
}

async function copyLock(from: string, to: string): Promise<boolean> {
  for (const name of LOCK_FILES) {
    if (
      await cp(join(from, name), join(to, name)).then(
        () => true,
        () => false,
      )
    )
      return true;
  }
  return false;
}

async function readManifest(directory: string, where = 'the tarball'): Promise<PackageManifest> {
  try {
    return JSON.parse(await readFile(join(directory, 'package.json'), 'utf8')) as PackageManifest;
  } catch (error) {
    const path = where === directory ? 'package.json' : 'package/package.json';
    throw new Error(`${where} contains no readable ${path}`, { cause: error });
  }
}

/** Parses the JSON at the end of npm's output. Output of the package's scripts comes before it. */
function parseResult(stdout: string): unknown[] {
  return JSON.parse(stdout.slice(stdout.lastIndexOf('\n[') + 1)) as unknown[];
}

/** Removes the registry's keys and tokens from the environment: npm runs scripts of packages. */
function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(env).filter(([name]) => !name.startsWith('BERTH_') && !name.startsWith('ACTIONS_ID_TOKEN_')),
  );
}

async function npm(words: string[], cwd: string): Promise<string> {
  try {
    return (await run('npm', words, { cwd, env: withoutSecrets(process.env), maxBuffer: MAX_OUTPUT_BYTES })).stdout;
  } catch (error) {
    const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : '';
    const [line = ''] = stderr
      .split('\n')
      .filter((it) => /^npm (error|ERR!) (?!code|A complete log|errno|path|syscall)/.test(it))
      .map((it) => it.replace(/^npm (error|ERR!) /, ''));
    throw new Error(`npm ${words[0]} failed${line === '' ? '' : `: ${line}`}`, { cause: error });
  }
}
