// What an archive is, from how it was generated; independent of the code under test.

import type { Archive, LogicalEntry } from './archives.ts';

export const nameOf = ({ name }: LogicalEntry): string => name.toString('utf8');
export const targetOf = ({ target }: LogicalEntry): string => target.toString('utf8');
export const isLink = ({ type }: LogicalEntry): boolean => type === '1' || type === '2';
export const isSlashed = ({ name }: LogicalEntry): boolean => /(?:^|\/)\.?$/.test(name.toString('utf8'));
export const isFolder = (entry: LogicalEntry): boolean =>
  entry.type === '5' || (entry.type === '0' && nameOf(entry).endsWith('/'));

/** Path below `package/`; other names as they are. */
export const pathOf = (name: string): string =>
  name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
    .replace(/^package(?:\/|$)/, '');

export const traits =
  (...some: string[]) =>
  ({ traits: present }: Archive): boolean =>
    some.some((trait) => present.has(trait));
export const entry =
  (matches: (one: LogicalEntry) => boolean) =>
  ({ entries }: Archive): boolean =>
    entries.some(matches);
export const text =
  (pattern: RegExp) =>
  ({ entries }: Archive): boolean =>
    entries.some((one) => pattern.test(nameOf(one)) || (isLink(one) && pattern.test(targetOf(one))));
export const isLong = entry((one) => nameOf(one).length > 1024 || targetOf(one).length > 1024);
export const hasLongPart = entry((one) =>
  [nameOf(one), targetOf(one)].some((name) => name.split('/').some((part) => Buffer.byteLength(part) > 255)),
);
export const isText = (bytes: Buffer): boolean => Buffer.from(bytes.toString('utf8')).equals(bytes);

/** Whether two entries have one path, of which one is `one` and the other is `other`. */
export const clash =
  (one: (entry: LogicalEntry) => boolean, other: (entry: LogicalEntry) => boolean, below: boolean) =>
  ({ entries }: Archive): boolean =>
    entries.some((first) =>
      entries.some((second) => {
        const [path, otherPath] = [pathOf(nameOf(first)), pathOf(nameOf(second))];
        const isSame = first !== second && path === otherPath;
        return one(first) && other(second) && (isSame || (below && otherPath.startsWith(`${path}/`)));
      }),
    );

/** Whether a link cannot be followed to its end within forty steps. */
export function isEndless({ entries }: Archive): boolean {
  const links = new Map(entries.filter(({ type }) => type === '2').map((one) => [pathOf(nameOf(one)), targetOf(one)]));
  return [...links.keys()].some((start) => {
    const pending = start.split('/');
    const reached: string[] = [];
    for (let followed = 0; pending.length > 0;) {
      const part = pending.shift()!;
      if (part === '..') reached.pop();
      else if (part !== '.' && part !== '') reached.push(part);
      const target = links.get(reached.join('/'));
      if (target === undefined || part === '..') continue;
      if (++followed > 40) return true;
      reached.pop();
      pending.unshift(...target.split('/'));
    }
    return false;
  });
}

/** Whether a symbolic link may lead outside, or climbs after it has descended. */
export function climbs(link: LogicalEntry): boolean {
  const parts = targetOf(link)
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  const leading = parts.findIndex((part) => part !== '..');
  const ups = leading === -1 ? parts.length : leading;
  const isLate = leading !== -1 && parts.slice(leading).includes('..');
  return isLate || ups >= pathOf(nameOf(link)).split('/').length;
}

export function leadsOutside(link: LogicalEntry): boolean {
  if (!isLink(link)) return false;
  const target = targetOf(link);
  if (/[\\\p{Cc}]/u.test(target) || target.startsWith('/')) return true;
  return link.type === '2' ? climbs(link) : !isInPackage(target);
}

/** Whether a hard link has no earlier file as its target. */
export function isLateHardLink({ entries }: Archive): boolean {
  return entries.some((link, index) => {
    if (link.type !== '1') return false;
    const earlier = entries.slice(0, index).filter(({ type }) => type === '0');
    return !earlier.some((one) => pathOf(nameOf(one)) === pathOf(targetOf(link)));
  });
}

export function isInPackage(name: string): boolean {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  return !name.startsWith('/') && !parts.includes('..') && (parts.length === 0 || parts[0] === 'package');
}

/** The archive where case is ignored. */
export function fold(archive: Archive): Archive {
  const lower = (name: Buffer): Buffer => Buffer.from(name.toString('utf8').normalize('NFC').toLowerCase());
  const entries = archive.entries.map((one) => ({ ...one, name: lower(one.name), target: lower(one.target) }));
  return { ...archive, entries };
}

export const isManifest = (one: LogicalEntry): boolean =>
  pathOf(nameOf(one)) === 'package.json' && isInPackage(nameOf(one));
