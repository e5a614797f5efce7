// Finds out from package-lock.json which packages the workspaces of the image require.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../../../scripts/runtime.ts';

interface LockedPackage {
  link?: boolean;
  resolved?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
}

/** Paths of the packages that workspaces require, such as `node_modules/fastify`. Optional peers are not required. */
export function requiredPackages(workspaces: readonly string[]): Set<string> {
  const { packages } = JSON.parse(readFileSync(join(repositoryRoot, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  /** As Node resolves a name: in the node_modules of each folder above. */
  const find = (from: string, name: string) => {
    const folders = from.split('/');
    for (let depth = folders.length; depth >= 0; depth--) {
      const path = [...folders.slice(0, depth), 'node_modules', name].join('/');
      if (packages[path]) return path;
    }
    return undefined;
  };
  const required = new Set<string>();
  const visit = (path: string | undefined): void => {
    if (path === undefined || required.has(path)) return;
    required.add(path);
    const { link, resolved, dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } =
      packages[path] ?? {};
    if (link) visit(resolved);
    const peers = Object.keys(peerDependencies ?? {}).filter((name) => !peerDependenciesMeta?.[name]?.optional);
    for (const name of [...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers])
      visit(find(path, name));
  };
  workspaces.forEach(visit);
  return required;
}
