// Packs the plug-in of the quick start: the installed @data-fair/processing-hello-world with a bundled dependency.
// `npm run sample` writes it to data/ and prints its path.

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from './runtime.ts';

export const SAMPLE_PACKAGE = '@data-fair/processing-hello-world';
/** Normally provided by the platform; bundled, so that the plug-in runs without one. */
const BUNDLED_PACKAGE = 'axios';

interface Manifest {
  version: string;
  dependencies?: Record<string, string>;
  [field: string]: unknown;
}

if (import.meta.main) console.log(relative(process.cwd(), await packSample('data')));

/** Packs the plug-in as `npm pack` does, and returns the absolute path of the tarball in `directory`. */
export async function packSample(directory: string): Promise<string> {
  const destination = resolve(directory);
  await mkdir(destination, { recursive: true });
  const folder = await mkdtemp(join(tmpdir(), 'berth-sample-'));
  try {
    await cp(join(repositoryRoot, 'node_modules', SAMPLE_PACKAGE), folder, { recursive: true });
    const bundled = await findWithDependencies(BUNDLED_PACKAGE, repositoryRoot);
    for (const path of bundled) await cp(path, join(folder, relative(repositoryRoot, path)), { recursive: true });
    await addBundled(folder);
    const { stdout } = await promisify(execFile)(
      'npm',
      ['pack', '--silent', '--ignore-scripts', '--pack-destination', destination],
      { cwd: folder },
    );
    return join(destination, stdout.trim());
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function addBundled(folder: string): Promise<void> {
  const manifest = await readManifest(folder);
  const { version } = await readManifest(join(folder, 'node_modules', BUNDLED_PACKAGE));
  const changed = {
    ...manifest,
    dependencies: { ...manifest.dependencies, [BUNDLED_PACKAGE]: version },
    bundleDependencies: [BUNDLED_PACKAGE],
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify(changed, null, 2));
}

/** Finds the folders of a package and its dependencies, as `require` in `from` would. */
async function findWithDependencies(name: string, from: string, folders = new Set<string>()): Promise<Set<string>> {
  const path = findPackage(name, from);
  if (folders.has(path)) return folders;
  folders.add(path);
  const { dependencies = {} } = await readManifest(path);
  for (const dependency of Object.keys(dependencies)) await findWithDependencies(dependency, path, folders);
  return folders;
}

function findPackage(name: string, from: string): string {
  const path = join(from, 'node_modules', name);
  if (existsSync(path)) return path;
  if (from === repositoryRoot) throw new Error(`${name} is not installed: run npm ci.`);
  return findPackage(name, dirname(from));
}

async function readManifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
}
