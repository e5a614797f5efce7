// Compares the bundled dependencies that a manifest promises with those that are in its tarball.

import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PackageManifest } from './pack-root.ts';

/**
 * Finds bundled dependencies that are missing, and packages that the bundled ones require but cannot resolve inside
 * the package: `is-odd`, `is-number (required by is-odd)`. Optional dependencies may be missing.
 * @param folder the unpacked tarball
 */
export async function findMissing(folder: string, manifest: PackageManifest): Promise<string[]> {
  const optional = new Set(namesOf(manifest['optionalDependencies']));
  const missing = new Set<string>();
  const seen = new Set<string>();
  const queue = bundledNames(manifest).map((name) => ({ name, from: folder, by: '', isOptional: optional.has(name) }));
  for (const { name, from, by, isOptional } of queue) {
    const found = await resolvePackage(name, from, folder);
    if (!found) {
      if (!isOptional) missing.add(by === '' ? name : `${name} (required by ${by})`);
      continue;
    }
    if (seen.has(found.path)) continue;
    seen.add(found.path);
    const without = new Set(namesOf(found.manifest['optionalDependencies']));
    for (const next of namesOf(found.manifest['dependencies'])) {
      if (!without.has(next)) queue.push({ name: next, from: found.path, by: name, isOptional: false });
    }
  }
  return [...missing];
}

/** Names in `bundleDependencies`, or its other spelling; `true` names all dependencies. */
function bundledNames(manifest: PackageManifest): string[] {
  const bundled = manifest['bundleDependencies'] ?? manifest['bundledDependencies'];
  if (bundled === true) return [...namesOf(manifest['dependencies']), ...namesOf(manifest['optionalDependencies'])];
  return Array.isArray(bundled) ? bundled.filter((it) => typeof it === 'string') : namesOf(bundled);
}

/** Resolves a package as Node does, but no further up than the package that bundles it. */
export async function resolvePackage(
  name: string,
  from: string,
  root: string,
): Promise<{ path: string; manifest: Record<string, unknown> } | undefined> {
  for (let folder = from; folder.startsWith(root); folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name);
    const manifest = await readFile(join(path, 'package.json'), 'utf8').then(parse, () => undefined);
    if (manifest) return { path, manifest };
  }
  return undefined;
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

export function namesOf(value: unknown): string[] {
  return typeof value === 'object' && value !== null ? Object.keys(value) : [];
}
