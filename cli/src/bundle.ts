// `berth publish --bundle`: installs the production dependencies of a package into its unpacked tarball, at the
// versions of the lock file next to it or of its workspace.

import { createReadStream, existsSync } from 'node:fs';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { extractTarball } from '@berth-registry/lib-node';
import {
  addLinked,
  derivePackages,
  hasLocal,
  linkedLocations,
  pinnedFields,
  type LockPackages,
} from './bundle-lock.ts';
import { namesOf } from './bundled.ts';
import { npm } from './npm.ts';
import { packFolder, readManifest, type BundleOptions, type PackageManifest } from './pack-folder.ts';
import { deployWithPnpm } from './pnpm.ts';
import { findWorkspace, type Workspace } from './workspace.ts';

/** The lock file of the folder `root`. */
interface RootLock {
  packages: LockPackages;
  root: string;
}

const LOCK_FILES = ['npm-shrinkwrap.json', 'package-lock.json'];
const LOCAL_FOLDER = 'berth-local';

/**
 * Installs the dependencies into `tree`, and adapts its package.json: it names them as bundled, and what is on this
 * disk by its version.
 */
export async function bundleInto(options: BundleOptions): Promise<void> {
  const { source, tree } = options;
  const manifest = await readManifest(tree);
  const optional = namesOf(manifest['optionalDependencies']);
  if (namesOf(manifest.dependencies).length + optional.length === 0) return;
  await rm(join(tree, 'node_modules'), { recursive: true, force: true });
  const published = await install(options, manifest, await findWorkspace(source));
  for (const name of LOCK_FILES) await rm(join(tree, name), { force: true });
  const bundled = [
    ...namesOf(manifest.dependencies).filter((name) => !optional.includes(name)),
    ...optional.filter((name) => existsSync(join(tree, 'node_modules', name))),
  ];
  const { bundledDependencies: _, ...fields } = published;
  await writeManifest(tree, { ...fields, bundleDependencies: bundled });
}

/** @returns the manifest to publish */
async function install(
  options: BundleOptions,
  manifest: PackageManifest,
  workspace: Workspace | undefined,
): Promise<PackageManifest> {
  const { source, tree } = options;
  const own = LOCK_FILES.find((name) => existsSync(join(source, name)));
  if (own !== undefined) {
    const packages = await readLock(join(source, own));
    if (packages && hasLocal(packages, '')) return installDerived(options, manifest, { packages, root: source }, '');
    await cp(join(source, own), join(tree, own));
    await installLocked(options);
    return manifest;
  }
  if (workspace?.manager === 'pnpm' || existsSync(join(source, 'pnpm-lock.yaml')))
    return deployWithPnpm({ ...options, manifest, root: workspace?.root });
  if (!workspace)
    throw new Error(
      '--bundle requires a lock file next to package.json: run npm install and commit package-lock.json',
    );
  const { root, manager } = workspace;
  if (manager === 'yarn')
    throw new Error(
      `--bundle reads lock files of npm and pnpm, and ${root} is a workspace of yarn: keep the dependencies in this ` +
        'folder (installConfig.hoistingLimits), run yarn install, name them in bundleDependencies, and publish ' +
        'without --bundle',
    );
  const packages = await readLock(join(root, 'package-lock.json'));
  const location = relative(root, source).split(sep).join('/');
  if (!packages?.[location])
    throw new Error(
      `this is a folder of the workspace ${root}, whose package-lock.json does not have it: run npm install there, ` +
        'and commit package-lock.json',
    );
  return installDerived(options, manifest, { packages, root }, location);
}

/** Installs with a lock file that is made for this package; folders and tarballs on this disk are packed into it. */
async function installDerived(
  options: BundleOptions,
  manifest: PackageManifest,
  lock: RootLock,
  location: string,
): Promise<PackageManifest> {
  const { tree, folder } = options;
  const { packages, linked } = await readLinked(lock, location);
  const { root } = lock;
  const tarballs = new Map<string, string>();
  for (const it of linked) tarballs.set(it, await packLinked(resolve(root, it), folder, pinnedFields(packages, it)));
  const resolveLocal = (it: string) =>
    `file:${tarballs.get(it) ?? resolve(root, packages[it]?.resolved?.replace(/^file:/, '') ?? it)}`;
  const derived = derivePackages(packages, location, resolveLocal);
  const { dependencies, optionalDependencies, peerDependencies } = derived[''] ?? {};
  const { devDependencies: _, workspaces: __, ...fields } = manifest;
  const staged = { ...fields, ...defined({ dependencies, optionalDependencies, peerDependencies }) };
  const { name, version } = manifest;
  await writeManifest(tree, { ...staged, overrides: await readOverrides(root) });
  await writeFile(
    join(tree, 'package-lock.json'),
    JSON.stringify({ name, version, lockfileVersion: 3, requires: true, packages: derived }),
  );
  await installLocked(options, '--allow-file=all');
  const pinned = pinnedFields(packages, location);
  return {
    ...manifest,
    ...defined({ dependencies: pinned.dependencies, optionalDependencies: pinned.optionalDependencies }),
  };
}

async function installLocked({ tree, scripts }: BundleOptions, ...words: string[]): Promise<void> {
  await npm(['ci', '--omit=dev', '--no-audit', '--no-fund', ...(scripts ? [] : ['--ignore-scripts']), ...words], tree);
}

/** Finds the linked folders, and adds the lock files that they have themselves. */
async function readLinked(
  { packages, root }: RootLock,
  location: string,
): Promise<{ packages: LockPackages; linked: string[] }> {
  const read = new Set<string>();
  for (;;) {
    const linked = linkedLocations(packages, location);
    const next = linked.find((it) => !read.has(it));
    if (next === undefined) return { packages, linked };
    read.add(next);
    packages = addLinked(packages, next, (await readLock(join(root, next, 'package-lock.json'))) ?? {});
  }
}

/** Packs a folder that the package depends on, whose manifest must not lead to other folders. */
async function packLinked(source: string, folder: string, pinned: object): Promise<string> {
  const local = join(folder, LOCAL_FOLDER);
  await mkdir(local, { recursive: true });
  const tarball = await packFolder(source, local);
  const tree = `${tarball}.unpacked`;
  await extractTarball(createReadStream(tarball), tree);
  const { bundleDependencies: _, bundledDependencies: __, ...manifest } = await readManifest(tree);
  const { dependencies, optionalDependencies, peerDependencies } = pinned as PackageManifest;
  await rm(join(tree, 'node_modules'), { recursive: true, force: true });
  await writeManifest(tree, {
    ...manifest,
    ...defined({ dependencies, optionalDependencies, peerDependencies }),
    devDependencies: undefined,
  });
  return packFolder(tree, local, ['--ignore-scripts']);
}

async function readLock(file: string): Promise<LockPackages | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return (JSON.parse(text) as { packages?: LockPackages }).packages;
  } catch (cause) {
    throw new Error(`${file} is not valid JSON: run npm install`, { cause });
  }
}

/** The overrides of the root, where `$name` stands for the version that the root itself depends on. */
async function readOverrides(root: string): Promise<unknown> {
  const { overrides, dependencies, devDependencies } = (await readManifest(root, root)) as PackageManifest & {
    devDependencies?: Record<string, string>;
  };
  const specs: Record<string, string> = { ...devDependencies, ...dependencies };
  if (overrides === undefined) return undefined;
  return JSON.parse(JSON.stringify(overrides), (_name, value: unknown) =>
    typeof value === 'string' && value.startsWith('$') ? (specs[value.slice(1)] ?? value) : value,
  ) as unknown;
}

async function writeManifest(folder: string, manifest: object): Promise<void> {
  await writeFile(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
