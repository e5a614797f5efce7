// Path safety: where names and links of an archive lead, from their text alone. tar-reader.ts reads the archive.

import type { FileEntry } from './types.ts';

/**
 * In characters: PATH_MAX of macOS, the shortest of the systems that unpack tarballs. It also bounds the size of the
 * file index.
 */
const MAX_NAME_LENGTH = 1024;
const MAX_QUOTED_LENGTH = 100;
/** Characters that a terminal would act on or hide, and those that the quotation itself uses. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}"\\]/gu;

/** Quotes a name of the archive for an error message, shortened and with unprintable characters escaped. */
export function quoteName(name: string): string {
  const shortened = name.length > MAX_QUOTED_LENGTH ? `${name.slice(0, MAX_QUOTED_LENGTH)}…` : name;
  return `"${shortened.replace(UNPRINTABLE, escapeCharacter)}"`;
}

function escapeCharacter(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/**
 * Reduces the name of an entry, or the target of a hard link, to its path below `package/`: `./package/lib//a.js`
 * gives `lib/a.js`.
 * @returns `''` for `package/` and for the archive's root; undefined for a name that leads elsewhere, or to different
 *   places on different systems: absolute, with `..`, a backslash or a control character, empty, or over 1,024
 *   characters
 */
export function pathInsidePackage(name: string): string | undefined {
  if (!isPlainName(name) || name.startsWith('/')) return undefined;
  const segments = name.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) return undefined;
  return segments.length === 0 || segments[0] === 'package' ? segments.slice(1).join('/') : undefined;
}

/**
 * Checks whether a symbolic link can never lead out of `package/`, even through other links. It may climb no higher
 * than `package/`, and only in its leading segments: a later `..` would climb from the target of an earlier link,
 * which the text does not show.
 * @param path the link's own path below `package/`
 */
export function staysInsidePackage(path: string, target: string): boolean {
  if (!isPlainName(target) || target.startsWith('/')) return false;
  const segments = target.split('/').filter((segment) => segment !== '' && segment !== '.');
  const descent = segments.findIndex((segment) => segment !== '..');
  const climbs = descent === -1 ? segments.length : descent;
  return climbs < path.split('/').length && !segments.includes('..', climbs);
}

/**
 * Finds unsafe links that only the whole archive reveals: an entry that would be written through a link, or a hard
 * link to anything but an earlier file. Takes O(n log n) for any names.
 * @param files in archive order
 */
export function findUnsafeLink(files: readonly FileEntry[]): { path: string; reason: string } | undefined {
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
  return findPopulatedSymlink(files);
}

/**
 * Finds a symbolic link with entries below it. Links and folders are sorted with NUL, the lowest character, in place
 * of the slash, so that whatever lies below a link directly follows it.
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
