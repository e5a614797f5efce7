// Derives the lock file of one package from that of its workspace, or of a package with `file:` dependencies: the same
// versions, in a tree of its own. Pure functions; npm's format is lockfileVersion 2 or 3, which has `packages`.

import { posix } from 'node:path';

export interface LockEntry {
  name?: string;
  version?: string;
  /** URL, or a path relative to the lock file; of a link, the location of its target. */
  resolved?: string;
  link?: boolean;
  /** Whether its content is in the tarball of the package around it. */
  inBundle?: boolean;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  peerDependenciesMeta?: Record<string, { optional?: boolean }>;
  [field: string]: unknown;
}

/** Entries by location: `''` is the root, `packages/a` a workspace, `node_modules/b` an installed package. */
export type LockPackages = Record<string, LockEntry>;

/** A folder above that of the lock file. */
const OUTSIDE = /^(?:\.\.\/)*\.\.$/;
/** What counts only for the root, or only in the tree that the entry is from. */
const FIELDS_OF_TREE = [
  'name',
  'workspaces',
  'devDependencies',
  'dev',
  'devOptional',
  'optional',
  'peer',
  'extraneous',
];
const DEPENDENCY_FIELDS = ['dependencies', 'optionalDependencies', 'peerDependencies'] as const;

/** Locations of the folders that the package at `location` depends on, directly or not, by links. */
export function linkedLocations(packages: LockPackages, location: string): string[] {
  const seen = new Set([location]);
  for (const from of seen)
    for (const { target } of edgesOf(packages, from)) if (target !== undefined) seen.add(target);
  return [...seen].slice(1).filter((it) => !isInstalled(it));
}

/** Adds the lock file of a linked folder, whose dependencies npm leaves to it if the folder is outside of the root. */
export function addLinked(packages: LockPackages, location: string, linked: LockPackages): LockPackages {
  const added = Object.entries(linked).flatMap(([place, entry]): [string, LockEntry][] => {
    if (place === '') return [];
    const isLocal = entry.link && entry.resolved !== undefined;
    const moved = isLocal ? { ...entry, resolved: posix.join(location, entry.resolved ?? '') } : entry;
    return [[posix.join(location, place), moved]];
  });
  return { ...Object.fromEntries(added), ...packages };
}

/** Tells whether something that the package needs is a folder or a tarball on this disk. */
export function hasLocal(packages: LockPackages, location: string): boolean {
  const seen = new Set([location]);
  for (const from of seen) {
    if (from !== location && (!isInstalled(from) || isFile(packages[from]))) return true;
    for (const { target } of edgesOf(packages, from)) if (target !== undefined) seen.add(target);
  }
  return false;
}

/**
 * Derives the entries of the package at `location`, which becomes the root.
 * @param resolveLocal gives the address of what is on this disk, by its location
 * @throws Error if the lock file lacks a package
 */
export function derivePackages(
  packages: LockPackages,
  location: string,
  resolveLocal: (location: string) => string,
): LockPackages {
  const { devDependencies: _, ...root } = withPins(packages, location, resolveLocal);
  const derived: LockPackages = { '': root };
  /** Old locations by new ones. */
  const origins = new Map([['', location]]);
  for (const [at, origin] of origins) {
    for (const { name, target, isRequired } of edgesOf(packages, origin)) {
      if (target === undefined) {
        if (!isRequired) continue;
        const place = isInstalled(origin) || origin === '' ? 'and commit package-lock.json' : `in ${origin}`;
        throw new Error(
          `no lock file has ${name}, which ${nameOf(packages, origin)} requires: run npm install ${place}`,
        );
      }
      const nearest = lookUp(derived, at, name);
      if (nearest !== undefined && origins.get(nearest) === target) continue;
      const place = `${nearest === undefined || at === '' ? '' : `${at}/`}node_modules/${name}`;
      origins.set(place, target);
      derived[place] = entryAt(packages, target, resolveLocal);
      for (const [inner, entry] of Object.entries(packages)) {
        if (!entry.inBundle || !inner.startsWith(`${target}/`)) continue;
        origins.set(place + inner.slice(target.length), inner);
        derived[place + inner.slice(target.length)] = entry;
      }
    }
  }
  return derived;
}

/** The dependencies of a package, with the version of each that is on this disk, as they are published. */
export function pinnedFields(packages: LockPackages, location: string): LockEntry {
  return withPins(packages, location, undefined);
}

function entryAt(packages: LockPackages, location: string, resolveLocal: (location: string) => string): LockEntry {
  const fields = Object.entries(withPins(packages, location, undefined));
  const entry = Object.fromEntries(fields.filter(([field]) => !FIELDS_OF_TREE.includes(field))) as LockEntry;
  if (isInstalled(location) && !isFile(entry)) return entry;
  return { ...entry, version: entry.version ?? '0.0.0', resolved: resolveLocal(location) };
}

function withPins(
  packages: LockPackages,
  location: string,
  resolveLocal: ((location: string) => string) | undefined,
): LockEntry {
  const entry = packages[location] ?? {};
  const pins = edgesOf(packages, location).flatMap(({ name, target }) => {
    if (target === undefined || (isInstalled(target) && !isFile(packages[target]))) return [];
    return [[name, resolveLocal?.(target) ?? packages[target]?.version ?? '0.0.0'] as const];
  });
  const pinned = new Map<string, string>(pins);
  const fields = DEPENDENCY_FIELDS.flatMap((field) => {
    const specs = entry[field];
    return specs === undefined
      ? []
      : [[field, Object.fromEntries(Object.entries(specs).map(([name, it]) => [name, pinned.get(name) ?? it]))]];
  });
  return { ...entry, ...(Object.fromEntries(fields) as LockEntry) };
}

interface Edge {
  name: string;
  /** Location of the package, behind a link; undefined if it is not installed. */
  target: string | undefined;
  isRequired: boolean;
}

function edgesOf(packages: LockPackages, from: string): Edge[] {
  const entry = packages[from] ?? {};
  const names = new Set(DEPENDENCY_FIELDS.flatMap((field) => Object.keys(entry[field] ?? {})));
  return [...names].map((name) => {
    const found = lookUp(packages, from, name);
    const link = found === undefined ? undefined : packages[found];
    return {
      name,
      target: link?.link ? link.resolved : found,
      isRequired:
        entry.optionalDependencies?.[name] === undefined &&
        (entry.dependencies?.[name] !== undefined || entry.peerDependenciesMeta?.[name]?.optional !== true),
    };
  });
}

/** Resolves a name as Node does. */
function lookUp(packages: LockPackages, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = posix.dirname(folder)) {
    if (folder === '.') folder = '';
    const place = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (posix.basename(folder) !== 'node_modules' && Object.hasOwn(packages, place)) return place;
    if (folder === '' || OUTSIDE.test(folder)) return undefined;
  }
}

function isInstalled(location: string): boolean {
  return location.split('/').includes('node_modules');
}

function isFile(entry: LockEntry | undefined): boolean {
  return entry?.resolved?.startsWith('file:') === true;
}

function nameOf(packages: LockPackages, location: string): string {
  const name = isInstalled(location) ? location.replace(/^.*node_modules\//, '') : posix.basename(location);
  return packages[location]?.name ?? name;
}
