// Where an entry of a tarball lands, or why it may not. Pure; the file system's own say is in tree-writer.ts.

import { ArchiveError } from './errors.ts';

/** Symbolic links that one path may go through, as in Linux's path_resolution(7). */
const MAX_LINK_DEPTH = 40;

/**
 * Splits a path of an archive into its parts, `.` and empty ones dropped.
 * @throws ArchiveError when it is absolute or holds `..`
 */
export function splitPath(path: string): string[] {
  const parts = path.split('/');
  if (path.startsWith('/') || parts.includes('..') || path.includes('\0'))
    throw new ArchiveError('archive_unsafe', `the archive holds the path ${JSON.stringify(path)}`);
  return parts.filter((part) => part !== '' && part !== '.');
}

/**
 * Checks that every link ends below the root when all the others are in place: `up -> ..` and `out -> up/..` are
 * harmless each and lead outside together.
 *
 * @param links targets by the path of the link, both with `/`, the path relative to the root
 * @throws ArchiveError when one leads outside or in circles /
 */
export function checkLinks(links: ReadonlyMap<string, string>): void {
  for (const [path, target] of links) {
    if (!staysInside(path, links))
      throw new ArchiveError(
        'archive_unsafe',
        `the link ${JSON.stringify(path)} -> ${JSON.stringify(target)} leads outside the archive`,
      );
  }
}

function staysInside(path: string, links: ReadonlyMap<string, string>): boolean {
  const pending = path.split('/');
  const reached: string[] = [];
  for (let followed = 0; pending.length > 0;) {
    const part = pending.shift() ?? '';
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (reached.pop() === undefined) return false;
      continue;
    }
    const target = links.get([...reached, part].join('/'));
    if (target === undefined) {
      reached.push(part);
    } else {
      followed += 1;
      if (followed > MAX_LINK_DEPTH || target.startsWith('/')) return false;
      pending.unshift(...target.split('/'));
    }
  }
  return true;
}
