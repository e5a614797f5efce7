// The list of files of a tarball as it is stored: in parts, each a JSON array, so that nobody holds all of it to read
// one entry, or waits while it is read or written (decision 27). Where they lie is told in file-index-repository.ts.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FileEntry } from '../tarballs/index.ts';

/** What takes about a millisecond, and has some 140 KB. */
const ENTRIES_OF_A_PART = 1000;

/** Formats the parts, in the order of the files. */
export async function formatFileIndex(files: readonly FileEntry[]): Promise<string[]> {
  const parts: string[] = [];
  for (let start = 0; start < files.length; start += ENTRIES_OF_A_PART) {
    if (start > 0) await nextTurn();
    parts.push(JSON.stringify(files.slice(start, start + ENTRIES_OF_A_PART)));
  }
  return parts;
}

export function parseFileIndexPart(part: string): FileEntry[] {
  return JSON.parse(part) as FileEntry[];
}

type Search = (text: string) => AsyncIterable<string>;

/**
 * Finds a file by its path. Of several entries with one name the last is the one that unpacking leaves; a hard link
 * means the one before it.
 *
 * @param search yields, the last one first, at least the parts that hold this text
 */
export async function findInFileIndex(search: Search, path: string): Promise<FileEntry | undefined> {
  const named = await findLast(search, path, () => true);
  if (named?.type !== 'link') return named?.type === 'file' ? named : undefined;
  return findLast(search, named.target ?? '', ({ type, offset }) => type === 'file' && offset < named.offset);
}

async function findLast(
  search: Search,
  path: string,
  matches: (file: FileEntry) => boolean,
): Promise<FileEntry | undefined> {
  for await (const part of search(JSON.stringify({ path }).slice(1, -1))) {
    const found = parseFileIndexPart(part).findLast((file) => file.path === path && matches(file));
    if (found) return found;
  }
  return undefined;
}
