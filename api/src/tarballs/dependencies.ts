// Which bundled packages a package depends on, found as Node would find them when the tarball is unpacked.

import { dirname, join } from 'node:path/posix';
import { isJsonObject, type JsonObject } from './json-fields.ts';
import { readName } from './manifest.ts';
import type { FileEntry } from './types.ts';

/** Paths of the bundled packages that a package depends on, by its own path; `''` is the package of the tarball. */
export type Dependencies = Record<string, string[]>;

export interface DependencyCollector {
  /** Adds the names that a package.json declares. @param path folder of the package below `package/` */
  declare(path: string, json: JsonObject): void;
  /** Declares for a package what another one has declared: their package.json is the same file. */
  copy(path: string, from: string): void;
  /** Resolves all names, once all packages are known; those that are not bundled are left out. */
  resolve(packages: ReadonlySet<string>, files: readonly FileEntry[]): Dependencies;
}

/** Ten times what the largest real tarballs declare; further names are ignored. */
const MAX_NAMES = 100_000;
/** Packages that are nested deeper are left out: each name costs as many look-ups as there are levels. */
const MAX_LEVELS = 30;
const FIELDS = ['dependencies', 'optionalDependencies', 'peerDependencies'] as const;
const FOLDER = '/node_modules/';

export function createDependencyCollector(): DependencyCollector {
  const declared = new Map<string, string[]>();
  let names = 0;

  return {
    declare(path, json) {
      const own = new Set(FIELDS.flatMap((field) => (isJsonObject(json[field]) ? Object.keys(json[field]) : [])));
      const known = [...own].filter((name) => readName(name) !== undefined).slice(0, MAX_NAMES - names);
      names += known.length;
      if (known.length > 0) declared.set(path, known);
    },
    copy(path, from) {
      const known = declared.get(from)?.slice(0, MAX_NAMES - names) ?? [];
      names += known.length;
      if (known.length > 0) declared.set(path, known);
    },
    resolve(packages, files) {
      const links = new Map<string, string>();
      for (const { path, type, target = '' } of files)
        if (type === 'symlink' && path.includes('node_modules/')) links.set(path, join(dirname(path), target));
      const resolved: [string, string[]][] = [];
      for (const [path, wanted] of declared) {
        if (path.split(FOLDER).length > MAX_LEVELS) continue;
        const found = wanted.flatMap((name) => find(path, name, packages, links) ?? []);
        if (found.length > 0) resolved.push([path, [...new Set(found)].sort()]);
      }
      return Object.fromEntries(resolved.sort(([one], [other]) => (one < other ? -1 : 1)));
    },
  };
}

/** Looks in the package's own `node_modules/`, then in that of each package around it. */
function find(
  path: string,
  name: string,
  packages: ReadonlySet<string>,
  links: ReadonlyMap<string, string>,
): string | undefined {
  for (let around = path; ; around = around.slice(0, Math.max(0, around.lastIndexOf(FOLDER)))) {
    const candidate = around === '' ? `node_modules/${name}` : `${around}${FOLDER}${name}`;
    const real = links.get(candidate) ?? candidate;
    if (packages.has(real)) return real;
    if (around === '') return undefined;
  }
}
