import type { PackedFile } from '../../api/types.ts';

export interface Entry {
  name: string;
  path: string;
  isFolder: boolean;
  size: number;
  count: number;
}

/**
 * Lists the direct entries of a folder, folders first.
 * @param folder '' for the root, else without a trailing slash
 */
export function entriesIn(files: readonly PackedFile[], folder: string): Entry[] {
  const prefix = folder === '' ? '' : `${folder}/`;
  const entries = new Map<string, Entry>();
  for (const { path, size } of files) {
    if (!path.startsWith(prefix)) continue;
    const rest = path.slice(prefix.length);
    const slash = rest.indexOf('/');
    const name = slash < 0 ? rest : rest.slice(0, slash);
    const entry = entries.get(name) ?? { name, path: prefix + name, isFolder: slash >= 0, size: 0, count: 0 };
    entries.set(name, { ...entry, size: entry.size + size, count: entry.count + 1 });
  }
  return [...entries.values()].sort((a, b) => Number(b.isFolder) - Number(a.isFolder) || (a.name < b.name ? -1 : 1));
}

/** Splits a path into breadcrumbs, from the first folder to the path itself. */
export function crumbsOf(path: string): { name: string; path: string }[] {
  const names = path === '' ? [] : path.split('/');
  return names.map((name, index) => ({ name, path: names.slice(0, index + 1).join('/') }));
}
