// Makes the tarball to publish, with npm: the package alone, or with its production dependencies bundled.

import { createReadStream, existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { extractTarball } from '@berth-registry/lib-node';
import { bundleInto } from './bundle.ts';
import { findMissing } from './bundled.ts';
import { npm } from './npm.ts';
import { packFolder, readManifest, type BundleOptions } from './pack-folder.ts';
import { stageRoot } from './pack-root.ts';
import { findWorkspace } from './workspace.ts';

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
    const packed = bundle ? await packBundled(tarball, { source: path, folder, scripts }) : tarball;
    const { missing, ...described } = await describeTarball(packed, folder);
    if (missing.length > 0)
      throw new Error(
        `not in the tarball, although bundleDependencies names them: ${missing.join(', ')}; ` +
          (await remedyFor(path, isTarball)),
      );
    return {
      ...described,
      path: packed,
      sizeBytes: (await stat(packed)).size,
      [Symbol.asyncDispose]: remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Packs the content of a build folder, after the scripts that npm runs before it packs a folder. */
async function packRoot(directory: string, root: string, folder: string): Promise<string> {
  for (const script of ['prepack', 'prepare']) await npm(['run', script, '--if-present', '--silent'], directory);
  const tree = join(folder, 'root');
  await stageRoot(directory, root, await readManifest(directory, directory), tree);
  return packFolder(tree, folder, ['--ignore-scripts']);
}

async function describeTarball(path: string, folder: string): Promise<Described & { missing: string[] }> {
  const unpacked = join(folder, 'described');
  await extractTarball(createReadStream(path), unpacked);
  const manifest = await readManifest(unpacked);
  const { name, version, registry } = manifest;
  if (typeof name !== 'string' || typeof version !== 'string')
    throw new Error('package.json must contain name and version');
  const hasIndexPage = existsSync(join(unpacked, 'index.html'));
  const missing = await findMissing(unpacked, manifest);
  return { name, version, category: registry?.category, line: registry?.line, hasIndexPage, missing };
}

/** Unpacks the tarball, installs the locked production dependencies into it, and packs it again. */
async function packBundled(tarball: string, options: Omit<BundleOptions, 'tree'>): Promise<string> {
  const tree = join(options.folder, 'bundled');
  await extractTarball(createReadStream(tarball), tree);
  await bundleInto({ ...options, tree });
  return packFolder(tree, await mkdtemp(join(options.folder, 'packed-')), ['--ignore-scripts']);
}

/** What to do about bundled dependencies that are not in the tarball. */
async function remedyFor(path: string, isTarball: boolean): Promise<string> {
  if (isTarball) return 'pack it again after npm install, or publish its folder with --bundle';
  const workspace = await findWorkspace(path);
  return workspace
    ? `npm packs none that ${workspace.root}, the root of its workspace, has in its own node_modules: use --bundle`
    : 'run npm install before, or use --bundle';
}
