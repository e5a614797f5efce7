// Stores one file at exactly `<cacheDir>/<fileName>`, replaced atomically. Its lock, state and partial download are in
// a separate directory (layout.ts).

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isErrno } from './errors.ts';
import { filePartName, locateFile, parseFilePart } from './layout.ts';
import type { CacheSlot } from './layout.ts';
import { readState, writeState } from './state.ts';
import type { CacheState } from './state.ts';

/** Bytes hashed at a time, which block the event loop for about a millisecond. */
const READ_BYTES = 1024 * 1024;

/** The state is written before the file is renamed. After a crash in between, `before` describes the file in place. */
interface FileState extends CacheState {
  before?: CacheState;
}

export interface FileStore {
  path: string;
  slot: CacheSlot;
  /** Reads what is known of the file in place, of whatever artefact; undefined if it is missing or was modified. */
  readPresent: () => Promise<CacheState | undefined>;
  /** Hashes the file in place. @throws Error `EEXIST` if it is a directory */
  digestPresent: () => Promise<string | undefined>;
  /** Finds the partial download that can be resumed. */
  findPart: () => Promise<string | undefined>;
  /** Writes the state of the file in place, which it identifies. */
  adopt: (describe: (name: string) => CacheState) => Promise<CacheState>;
  /** Moves a complete download to its place. */
  place: (partPath: string, describe: (name: string) => CacheState) => Promise<CacheState>;
}

/** Makes the store of one file name. Two artefacts with the same file name replace each other. */
export function createFileStore(cacheDir: string, fileName: string): FileStore {
  const { path, slot } = locateFile(cacheDir, fileName);

  async function readPresent(): Promise<CacheState | undefined> {
    const state: FileState | undefined = readState(slot);
    if (state === undefined) return undefined;
    const name = await fingerprint(path);
    const { before, ...current } = state;
    return [current, before].find((one) => one?.current.name === name);
  }

  async function writeFileState(state: FileState): Promise<void> {
    await writeState(slot, state);
  }

  return {
    path,
    slot,
    readPresent,
    digestPresent: async () => ((await fingerprint(path)) === undefined ? undefined : await digestFile(path)),
    findPart: async () => (await readdir(slot.directory)).map(parseFilePart).find((digest) => digest !== undefined),
    adopt: async (describe) => {
      const state = describe((await fingerprint(path)) ?? '');
      await writeState(slot, state);
      return state;
    },
    place: async (partPath, describe) => {
      const before = await readPresent();
      const state = describe((await fingerprint(partPath)) ?? '');
      await mkdir(dirname(path), { recursive: true });
      await writeFileState({ ...state, ...(before && { before }) });
      await rename(partPath, path);
      return state;
    },
  };
}

/** Locates the partial download of these bytes. */
export function partPathOf({ slot }: FileStore, digest: string | undefined): string {
  return join(slot.directory, filePartName(digest));
}

/**
 * Identifies the content of a file without reading it, by `<inode>-<size>-<mtime in ns>`. A rename changes none of
 * them.
 *
 * @returns undefined if the file does not exist
 * @throws Error `EEXIST` if the path is not a file, such as the directory of a package
 */
async function fingerprint(path: string): Promise<string | undefined> {
  try {
    const stats = await stat(path, { bigint: true });
    if (!stats.isFile())
      throw Object.assign(new Error(`${path} exists and is not a file: use another fileName`), {
        code: 'EEXIST',
        path,
      });
    return `${stats.ino}-${stats.size}-${stats.mtimeNs}`;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}
