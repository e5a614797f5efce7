// `berth publish --bundle` of a package whose lock file is pnpm's: pnpm itself installs, without symbolic links.

import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { resolvePackage } from './bundled.ts';
import { runTool } from './npm.ts';
import type { BundleOptions, PackageManifest } from './pack-folder.ts';

/** npm packs no symbolic links, of which pnpm's own layout consists. */
const FLAT = '--config.node-linker=hoisted';
const LOCAL_SPEC = /"(?:workspace|catalog|file|link):/;
const OWN_FILES = ['.pnpm', '.modules.yaml', '.pnpm-workspace-state-v1.json', '.bin'];
const LOCK_FILE = 'pnpm-lock.yaml';

/**
 * Installs the production dependencies into the unpacked tarball.
 * @returns the manifest to publish, where the version stands for what is in the workspace (`workspace:*`)
 */
export async function deployWithPnpm({
  source,
  tree,
  folder,
  scripts,
  manifest,
  root,
}: BundleOptions & { manifest: PackageManifest; root: string | undefined }): Promise<PackageManifest> {
  const deployed = join(folder, 'deployed');
  const scriptWords = scripts ? [] : ['--ignore-scripts'];
  if (root !== undefined) {
    // Without the second setting, pnpm deploys other versions than those of its lock file.
    const settings = [FLAT, '--config.inject-workspace-packages=true'];
    const words = ['--filter', String(manifest.name), '--prod', 'deploy', ...settings, ...scriptWords, deployed];
    await runTool('pnpm', words, root);
  } else {
    await mkdir(deployed);
    for (const name of ['package.json', LOCK_FILE, '.npmrc'])
      if (existsSync(join(source, name))) await cp(join(source, name), join(deployed, name));
    await runTool('pnpm', ['install', '--prod', '--frozen-lockfile', FLAT, ...scriptWords], deployed);
  }
  const modules = join(tree, 'node_modules');
  await rename(join(deployed, 'node_modules'), modules);
  for (const name of OWN_FILES) await rm(join(modules, name), { recursive: true, force: true });
  for (const path of await readdir(modules, { recursive: true })) {
    if (basename(path) !== 'package.json') continue;
    const file = join(modules, path);
    const text = await readFile(file, 'utf8');
    if (!LOCAL_SPEC.test(text)) continue;
    await writeFile(
      file,
      JSON.stringify(await withVersions(JSON.parse(text) as PackageManifest, dirname(file), tree)),
    );
  }
  return withVersions(manifest, tree, tree);
}

/** Replaces what only a workspace understands by the versions that are installed. */
async function withVersions(manifest: PackageManifest, from: string, tree: string): Promise<PackageManifest> {
  const fields: PackageManifest = { ...manifest };
  for (const field of ['dependencies', 'optionalDependencies', 'peerDependencies']) {
    const specs = Object.entries((manifest[field] ?? {}) as Record<string, unknown>).map(async ([name, spec]) => {
      if (!LOCAL_SPEC.test(JSON.stringify(spec))) return [name, spec];
      return [name, (await resolvePackage(name, from, tree))?.manifest['version'] ?? spec];
    });
    if (specs.length > 0) fields[field] = Object.fromEntries(await Promise.all(specs)) as unknown;
  }
  return fields;
}
