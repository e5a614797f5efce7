// Path safety: where names and links of an archive lead, from their text alone. names.ts checks their characters,
// tree.ts the archive as a whole.

/**
 * Reduces the name of an entry, or the target of a hard link, to its path below `package/`: `./package/lib//a.js`
 * gives `lib/a.js`.
 * @returns `''` for `package/` and for the archive's root; undefined for a name that leads elsewhere, or to different
 *   places on different systems: absolute, with `..`, a backslash or a control character, or empty
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

function isPlainName(name: string): boolean {
  return name !== '' && !/[\p{Cc}\\]/u.test(name);
}
