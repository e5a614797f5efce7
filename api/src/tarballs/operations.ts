// Where names and links of an archive lead, judged from their text alone. Reading the archive lives in tar-reader.ts.

import type { FileEntry } from './types.ts';

/**
 * In characters: PATH_MAX of macOS, the shortest of the systems that unpack tarballs. It also bounds what the file
 * index holds.
 */
const MAX_NAME_LENGTH = 1024;
const SHOWN_NAME_LENGTH = 100;

/**
 * Quotes a name of the archive for an error's detail: shortened, and nothing in it that a terminal would act on or
 * hide.
 */
export function quoteName(name: string): string {
  const shown = name.length > SHOWN_NAME_LENGTH ? `${name.slice(0, SHOWN_NAME_LENGTH)}…` : name;
  return `"${shown.replace(/[\p{C}\p{Zl}\p{Zp}"\\]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)}"`;
}

/**
 * Reduces the name of an entry, or the target of a hard link, to its path below `package/`: `./package/lib//a.js`
 * gives `lib/a.js`.
 * @returns `''` for `package/` and for the archive's root; undefined for a name that lands elsewhere or not everywhere
 *   alike: absolute, with `..`, a backslash or a control character, empty, or over 1,024 characters /
 */
export function pathInsidePackage(name: string): string | undefined {
  if (!isPlainName(name) || name.startsWith('/')) return undefined;
  const segments = name.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) return undefined;
  return segments.length === 0 || segments[0] === 'package' ? segments.slice(1).join('/') : undefined;
}

/**
 * Tells whether a symbolic link never leads out of `package/`, other links on its way included: it climbs no higher
 * than that from its own folder, and only at its beginning. A `..` further on would climb from wherever a link before
 * it led, which text cannot tell.
 * @param path the link's own path below `package/` /
 */
export function staysInsidePackage(path: string, target: string): boolean {
  if (!isPlainName(target) || target.startsWith('/')) return false;
  const segments = target.split('/').filter((segment) => segment !== '' && segment !== '.');
  const descent = segments.findIndex((segment) => segment !== '..');
  const climbs = descent === -1 ? segments.length : descent;
  return climbs < path.split('/').length && !segments.includes('..', climbs);
}

/**
 * Finds what only the whole archive shows: an entry that would be written through a link, or a hard link to anything
 * but a file that comes before it. In n log n, whatever the names.
 * @param files in the order of the archive /
 */
export function findUnsafeLink(files: readonly FileEntry[]): { path: string; reason: string } | undefined {
  const links = new Map(files.filter((file) => file.target !== undefined).map((file) => [file.path, file]));
  if (links.size === 0) return undefined;
  const earlierFiles = new Set<string>();
  for (const file of files) {
    const { path, type, target = '' } = file;
    if ((links.get(path) ?? file) !== file) return { path, reason: 'shares its name with a link' };
    if (type === 'link' && !earlierFiles.has(target))
      return { path, reason: 'is a hard link to something else than an earlier file' };
    if (type === 'file') earlierFiles.add(path);
  }
  return findPopulatedSymlink(files);
}

/**
 * Sorts links and folders so that what lies below a link follows it at once: with the lowest of characters in place of
 * the slash.
 */
function findPopulatedSymlink(files: readonly FileEntry[]): { path: string; reason: string } | undefined {
  const folders = new Set(files.map(({ path }) => path.slice(0, path.lastIndexOf('/') + 1)));
  const symlinks = files.filter((file) => file.type === 'symlink').map((file) => file.path);
  let below: string | undefined;
  for (const key of [...folders, ...symlinks].map((path) => path.split('/').join('\0')).sort()) {
    if (below !== undefined && key.startsWith(below))
      return { path: below.slice(0, -1).replaceAll('\0', '/'), reason: 'is a symbolic link and has entries below it' };
    if (key !== '' && !key.endsWith('\0')) below = `${key}\0`;
  }
  return undefined;
}

function isPlainName(name: string): boolean {
  return name !== '' && name.length <= MAX_NAME_LENGTH && !/[\p{Cc}\\]/u.test(name);
}
