// Stores one file at exactly `<cacheDir>/<fileName>`, replaced atomically. Its lock, state and partial download are in
// a separate directory (layout.ts).

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isErrno } from './errors.ts';
import { locateFile } from './layout.ts';
import type { StagingContext, Store, Staged } from './store.ts';
import { chooseFile } from './slots.ts';
import { readState, writeState } from './state.ts';
import type { CacheState } from './state.ts';

/** Bytes hashed at a time, which block the event loop for about a millisecond. */
const READ_BYTES = 1024 * 1024;

/** The state is written before the file is renamed. After a crash in between, `before` describes the file in place. */
interface FileState extends CacheState {
  before?: CacheState;
}

export interface FileStoreOptions {
  cacheDir: string;
  artefactId: string;
  fileName: string;
}

/** Makes the store of one file name. Two artefacts with the same file name replace each other. */
export function createFileStore({ cacheDir, artefactId, fileName }: FileStoreOptions): Store & { path: string } {
  const { path, slot } = locateFile(cacheDir, fileName);

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
    open: async (context) => {
      await mkdir(dirname(path), { recursive: true });
      return stage(context, place);
    },
  };
}

/** The partial download itself becomes the file: nothing else is written. */
function stage({ partPath }: StagingContext, place: (partPath: string, state: CacheState) => Promise<void>): Staged {
  const noop = async (): Promise<void> => {
    await Promise.resolve();
  };
  return {
    write: noop,
    abort: noop,
    finish: async () => (await fingerprint(partPath)) ?? '',
    place: async (state) => {
      await place(partPath, state);
    },
  };
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

function sizeOf(name: string): number {
  return Number(name.split('-')[1]);
}

async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: READ_BYTES })) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}
