// The place of a file artefact: exactly `<cacheDir>/<fileName>`, replaced at once. Its lock, its state and its partial
// download are in a directory of their own (layout.ts).

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno } from './errors.ts';
import { placeFile } from './layout.ts';
import type { Intake, Shelf, Staged } from './shelf.ts';
import { chooseFile } from './slots.ts';
import { readState, writeState } from './state.ts';
import type { CacheState } from './state.ts';

/** Bytes hashed in one go: about a millisecond of the event loop. */
const READ_BYTES = 1024 * 1024;

/**
 * The state names a file that has its place only when the process has lived to rename it: until then the one before
 * counts.
 */
interface FileState extends CacheState {
  before?: CacheState;
}

export interface FileShelfOptions {
  cacheDir: string;
  artefactId: string;
  fileName: string;
}

/** Makes the shelf of one file name. Another artefact under that name takes the place of the one before. */
export function createFileShelf({ cacheDir, artefactId, fileName }: FileShelfOptions): Shelf & { path: string } {
  const { path, slot } = placeFile(cacheDir, fileName);

  async function readPresent(): Promise<CacheState | undefined> {
    const state: FileState | undefined = readState(slot);
    if (state === undefined) return undefined;
    const name = await fingerprint(path);
    const { before, ...current } = state;
    return [current, before].find((one) => one?.current.name === name);
  }

  async function place(partPath: string, state: CacheState): Promise<void> {
    const before = await readPresent();
    await writeState(slot, { ...state, ...(before && { before }) });
    await rename(partPath, path);
  }

  return {
    path,
    slot,
    choose: chooseFile,
    readCached: async () => {
      const state = await readPresent();
      return state?.artefactId === artefactId ? state : undefined;
    },
    find: async ({ digest, sizeBytes }) => {
      const name = await fingerprint(path);
      if (name === undefined || digest === undefined || sizeOf(name) !== sizeBytes) return undefined;
      return (await digestFile(path)) === digest ? name : undefined;
    },
    makeCurrent: async (state) => {
      await writeState(slot, state);
    },
    open: async (intake) => {
      await mkdir(dirname(path), { recursive: true });
      return stage(intake, place);
    },
  };
}

/** The partial download is the file to be: nothing else is written. */
function stage({ partPath }: Intake, place: (partPath: string, state: CacheState) => Promise<void>): Staged {
  const nothing = async (): Promise<void> => {
    await Promise.resolve();
  };
  return {
    write: nothing,
    abort: nothing,
    finish: async () => (await fingerprint(partPath)) ?? '',
    place: async (state) => {
      await place(partPath, state);
    },
  };
}

/**
 * Tells a file from others without reading it, by `<inode>-<size>-<time of its last change>`; a renaming changes none
 * of them.
 *
 * @returns undefined when there is nothing
 * @throws Error `EEXIST` when there is something else, such as the directory of a package /
 */
async function fingerprint(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path, { bigint: true });
    if (!found.isFile())
      throw Object.assign(new Error(`${path} is there and is no file: give another fileName`), {
        code: 'EEXIST',
        path,
      });
    return `${found.ino}-${found.size}-${found.mtimeNs}`;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

function sizeOf(name: string): number {
  return Number(name.split('-')[1]);
}

async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}
