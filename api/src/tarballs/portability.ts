// Reports names that some systems cannot hold, or cannot tell apart. They are accepted: most consumers run on Linux.

import { isForeignToWindows } from './names.ts';
import { foldCase, isBelow, sortedByKey } from './tree.ts';
import type { FileEntry } from './types.ts';

/** `name_collision`: names that are one where case or the form of accents is ignored; `windows_name` */
export type WarningCode = 'name_collision' | 'windows_name';

export interface TarballWarning {
  code: WarningCode;
  /** Number of entries. */
  count: number;
  /** Up to four of them, below `package/`; of a collision both names. */
  paths: string[];
}

const MAX_PATHS = 4;

/** @param files a tree without conflicts (tree.ts) */
export function findWarnings(files: readonly FileEntry[]): TarballWarning[] {
  const paths = [...new Set(files.map(({ path }) => path))];
  return [
    toWarning('name_collision', findCollisions(files)),
    toWarning('windows_name', paths.filter(isForeignToWindows)),
  ].filter((warning) => warning.count > 0);
}

/** Lists names that differ from another one only in case or normal form, unless both are folders, which merge. */
function findCollisions(files: readonly FileEntry[]): string[] {
  const sorted = sortedByKey(files, ({ path }) => foldCase(path));
  const collisions = new Set<string>();
  let previous: (typeof sorted)[number] | undefined;
  for (const entry of sorted) {
    const { path, type } = entry.file;
    const isSame =
      previous?.key === entry.key &&
      previous.file.path !== path &&
      !(previous.file.type === 'directory' && type === 'directory');
    // The tree has no conflicts as it is written, so this file and that folder differ in case.
    const isInFile = previous !== undefined && previous.file.type !== 'directory' && isBelow(entry.key, previous.key);
    if (previous && (isSame || isInFile)) collisions.add(previous.file.path).add(path);
    if (!isInFile) previous = entry;
  }
  return [...collisions];
}

function toWarning(code: WarningCode, paths: string[]): TarballWarning {
  return { code, count: paths.length, paths: paths.slice(0, MAX_PATHS) };
}
