// Checks the entries of an archive as a whole: whether they form a tree that every system can unpack.

import type { FileEntry } from './types.ts';

/** Symbolic links that Linux follows for one path (path_resolution(7)). */
const MAX_FOLLOWED = 40;
/** No link has a longer path, so none is found behind a longer one. */
const MAX_KEY_LENGTH = 2048;

export interface TreeProblem {
  path: string;
  /** To follow the quoted path. */
  reason: string;
}

/**
 * Finds what only the whole archive reveals: a file with entries below it, an entry that would be written through a
 * link, a hard link to anything but an earlier file, and a symbolic link that cannot be followed. Takes O(n log n) for
 * any names.
 * @param files in archive order
 */
export function findTreeProblem(files: readonly FileEntry[]): TreeProblem | undefined {
  return findUnsafeLink(files) ?? findConflict(files) ?? findLinkCollision(files) ?? findEndlessLink(files);
}

/** A name as disks compare it that ignore case and the form of accents. lib-node compares links in the same way. */
export function foldCase(path: string): string {
  if (/^[\x20-\x7e]*$/.test(path)) return path.toLowerCase();
  return path.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC');
}

function findUnsafeLink(files: readonly FileEntry[]): TreeProblem | undefined {
  const links = new Map(files.filter((file) => file.target !== undefined).map((file) => [file.path, file]));
  if (links.size === 0) return undefined;
  const earlierFiles = new Set<string>();
  for (const file of files) {
    const { path, type, target = '' } = file;
    if ((links.get(path) ?? file) !== file) return { path, reason: 'shares its name with a link' };
    if (type === 'link' && !earlierFiles.has(target))
      return { path, reason: 'is a hard link to something other than an earlier file' };
    if (type === 'file') earlierFiles.add(path);
  }
  return undefined;
}

/** Finds an entry that is no folder, although there are entries below it or a folder of its name. */
function findConflict(files: readonly FileEntry[]): TreeProblem | undefined {
  const sorted = sortedByKey(files, ({ path }) => path);
  let previous: (typeof sorted)[number] | undefined;
  for (const entry of sorted) {
    if (previous?.key === entry.key) {
      if ((previous.file.type === 'directory') !== (entry.file.type === 'directory'))
        return { path: entry.file.path, reason: 'is both a file and a folder' };
    } else if (previous && previous.file.type !== 'directory' && isBelow(entry.key, previous.key)) {
      const { path, type } = previous.file;
      const what = type === 'symlink' ? 'a symbolic link' : 'a file';
      return { path, reason: `is ${what} and has entries below it` };
    }
    previous = entry;
  }
  return undefined;
}

/**
 * Finds a symbolic link that is the same as another entry, or as a folder, where case is ignored: there, something
 * would be written through it.
 */
function findLinkCollision(files: readonly FileEntry[]): TreeProblem | undefined {
  if (!files.some(isSymlink)) return undefined;
  let previous: { key: string; file: FileEntry } | undefined;
  for (const entry of sortedByKey(files, ({ path }) => foldCase(path))) {
    const isSame = previous?.key === entry.key && (isSymlink(previous.file) || isSymlink(entry.file));
    if (previous && (isSame || (isSymlink(previous.file) && isBelow(entry.key, previous.key)))) {
      const path = isSymlink(previous.file) ? previous.file.path : entry.file.path;
      return { path, reason: 'is a symbolic link, and has the name of something else where case is ignored' };
    }
    previous = entry;
  }
  return undefined;
}

interface Symlink {
  key: string;
  path: string;
  /** Key of the target as written, that is without following other links. */
  targetKey: string;
}

/** Where a link leads, and how many links are followed on the way, itself included. */
interface Resolved {
  key: string;
  followed: number;
}

/**
 * Finds a symbolic link that leads back to itself, or through more links than systems follow, also where case is
 * ignored. Requires that no entry is below a link, and that targets climb only in their leading segments
 * (`staysInsidePackage`).
 */
function findEndlessLink(files: readonly FileEntry[]): TreeProblem | undefined {
  const links = files
    .filter(isSymlink)
    .map(({ path, target = '' }): Symlink => {
      const targetKey = targetKeyOf(foldCase(path), foldCase(target));
      return { key: keyOf(foldCase(path)), path, targetKey };
    })
    .sort(byKey);
  const known = new Map<Symlink, Resolved>();

  /** The link that a key goes through. Since no link is below another, only the last one up to the key can be it. */
  function linkOn(key: string): Symlink | undefined {
    let [low, high] = [0, links.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (links[middle]!.key <= key) low = middle + 1;
      else high = middle;
    }
    const link = links[low - 1];
    return link && (key === link.key || isBelow(key, link.key)) ? link : undefined;
  }

  function resolve(link: Symlink, depth: number): Resolved | undefined {
    if (depth > MAX_FOLLOWED) return undefined;
    let key = link.targetKey;
    let followed = 1;
    for (let next = linkOn(key); next; next = linkOn(key)) {
      const inner = known.get(next) ?? resolve(next, depth + 1);
      if (!inner || (followed += inner.followed) > MAX_FOLLOWED) return undefined;
      key = joinKeys(inner.key, key.slice(next.key.length + 1)).slice(0, MAX_KEY_LENGTH);
    }
    const resolved = { key, followed };
    known.set(link, resolved);
    return resolved;
  }

  const endless = links.find((link) => !resolve(link, 1));
  return (
    endless && {
      path: endless.path,
      reason: `is a symbolic link to itself, or through more than ${MAX_FOLLOWED} links`,
    }
  );
}

/** NUL, the lowest character, in place of the slash: sorted, whatever is below a path directly follows it. */
function keyOf(path: string): string {
  // Four times as fast as replaceAll.
  return path.split('/').join('\0');
}

function joinKeys(folder: string, rest: string): string {
  return folder === '' || rest === '' ? folder + rest : `${folder}\0${rest}`;
}

function targetKeyOf(path: string, target: string): string {
  const folder = path.split('/').slice(0, -1);
  const segments = target.split('/').filter((segment) => segment !== '' && segment !== '.');
  const climbs = segments.filter((segment) => segment === '..').length;
  return [...folder.slice(0, folder.length - climbs), ...segments.slice(climbs)].join('\0');
}

/** Sorts entries so that whatever is below a path directly follows it. @param nameOf the path to sort by */
export function sortedByKey(
  files: readonly FileEntry[],
  nameOf: (file: FileEntry) => string,
): { key: string; file: FileEntry }[] {
  return files.map((file) => ({ key: keyOf(nameOf(file)), file })).sort(byKey);
}

/** Whether a path is below another one, by their keys. */
export function isBelow(key: string, folderKey: string): boolean {
  return key.startsWith(`${folderKey}\0`);
}

function isSymlink({ type }: FileEntry): boolean {
  return type === 'symlink';
}

function byKey(one: { key: string }, other: { key: string }): number {
  return one.key < other.key ? -1 : one.key > other.key ? 1 : 0;
}
