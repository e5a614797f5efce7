// The list of files of a tarball as it is stored: JSON, of 200,000 files some 30 MB. It is read and written piece by piece, since
// at once it would hold up everybody else for a third of a second.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FileEntry } from '../tarballs/index.ts';

/** What takes about a millisecond. */
const PIECE_LENGTH = 128 * 1024;
const PIECE_ENTRIES = 1000;
/** Where one entry ends and the next begins: within a text, quotes are escaped. */
const SEPARATOR = '},{"';

export async function formatFileIndex(files: readonly FileEntry[]): Promise<string> {
  const pieces: string[] = [];
  for (let start = 0; start < files.length; start += PIECE_ENTRIES) {
    pieces.push(JSON.stringify(files.slice(start, start + PIECE_ENTRIES)).slice(1, -1));
    await nextTurn();
  }
  return `[${pieces.join(',')}]`;
}

/** Gives the entries in their order, some hundred at a time. */
export async function* parseFileIndex(json: string): AsyncGenerator<FileEntry[]> {
  const end = json.length - 1;
  for (let start = 1; start < end;) {
    const separator = json.indexOf(SEPARATOR, start + PIECE_LENGTH);
    const pieceEnd = separator < 0 ? end : separator + 1;
    yield JSON.parse(`[${json.slice(start, pieceEnd)}]`) as FileEntry[];
    start = pieceEnd + 1;
    await nextTurn();
  }
}

/** Finds a file by its path. Of several entries with one name the last is the one that unpacking leaves; a hard link means the one before it. */
export async function findInFileIndex(json: string, path: string): Promise<FileEntry | undefined> {
  const named = await findLast(json, (file) => file.path === path);
  if (named?.file.type !== 'link') return named?.file.type === 'file' ? named.file : undefined;
  const original = await findLast(json, (file, index) => index < named.index && file.type === 'file' && file.path === named.file.target);
  return original?.file;
}

async function findLast(json: string, matches: (file: FileEntry, index: number) => boolean): Promise<{ file: FileEntry; index: number } | undefined> {
  let found: { file: FileEntry; index: number } | undefined;
  let index = 0;
  for await (const files of parseFileIndex(json)) {
    for (const file of files) {
      if (matches(file, index)) found = { file, index };
      index++;
    }
  }
  return found;
}
