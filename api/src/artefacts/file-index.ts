// File index: the files of a tarball, stored in parts, each a JSON array. Reading one entry does not load the whole
// list, and long lists do not block the event loop (decision 27). file-index-repository.ts stores the parts.

import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { FileEntry } from '../tarballs/index.ts';

/** Formatting a part takes about 1 ms and gives some 200 KB. */
const ENTRIES_PER_PART = 1000;

/** Formats the parts, in archive order. */
export async function formatFileIndex(files: readonly FileEntry[]): Promise<string[]> {
  const parts: string[] = [];
  for (let start = 0; start < files.length; start += ENTRIES_PER_PART) {
    if (start > 0) await yieldToEventLoop();
    parts.push(JSON.stringify(files.slice(start, start + ENTRIES_PER_PART)));
  }
  return parts;
}

export function parseFileIndexPart(part: string): FileEntry[] {
  return JSON.parse(part) as FileEntry[];
}

type Search = (text: string) => AsyncIterable<string>;

/**
 * Finds a file by its path. Of several entries with the same name, the last one counts, as in unpacking. A hard link
 * resolves to the last file of that name before it.
 *
 * @param search yields at least the parts that contain this text, the last one first
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
    const match = parseFileIndexPart(part).findLast((file) => file.path === path && matches(file));
    if (match) return match;
  }
  return undefined;
}
