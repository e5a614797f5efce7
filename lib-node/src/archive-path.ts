// Validates paths and links of archives, without file access; tree-writer.ts checks against the file system.

import { ArchiveError } from './errors.ts';

/** Symbolic links that one path may go through, as in Linux's path_resolution(7). */
const MAX_LINK_DEPTH = 40;

/**
 * Splits the path of an entry into its parts, without `.` and empty ones.
 * @throws ArchiveError `archive_unsafe` if it is absolute or contains `..` or NUL
 */
export function splitPath(path: string): string[] {
  const parts = path.split('/');
  if (path.startsWith('/') || parts.includes('..') || path.includes('\0'))
    throw new ArchiveError('archive_unsafe', `the archive contains the unsafe path ${JSON.stringify(path)}`);
  return parts.filter((part) => part !== '' && part !== '.');
}

/**
 * How file systems compare names: exactly; or regardless of case (Windows, macOS by default), of the form in which
 * Unicode composes accents (macOS), or of both.
 */
const COMPARISONS: ((name: string) => string)[] = [
  (name) => name,
  (name) => name.normalize('NFC'),
  foldCase,
  (name) => foldCase(name.normalize('NFC')).normalize('NFC'),
];

/**
 * Checks that every link resolves below the root with all the other links in place: `a/up -> ..` and `a/out -> up/..`
 * are harmless alone and lead outside together. So may `a/out -> UP/..`, depending on the file system.
 *
 * @param links target of each link by its path, which is relative to the root; both with `/`. Of two links that a file
 *   system takes for one, the last counts
 * @throws ArchiveError `archive_unsafe` if a link leads outside or is circular, on any file system
 */
export function checkLinks(links: ReadonlyMap<string, string>): void {
  const texts = [...links].flat();
  for (const fold of COMPARISONS) {
    const foldedLinks = new Map([...links].map(([path, target]) => [fold(path), fold(target)]));
    for (const [path, target] of links) {
      if (!staysInside(fold(path), foldedLinks))
        throw new ArchiveError(
          'archive_unsafe',
          `the link ${JSON.stringify(path)} -> ${JSON.stringify(target)} leads outside the archive`,
        );
    }
    // Usually all names are the same in every comparison.
    if (COMPARISONS.every((other) => texts.every((text) => other(text) === text))) return;
  }
}

function foldCase(name: string): string {
  return name.toUpperCase().toLowerCase();
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
