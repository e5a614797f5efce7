// The folders between the root and a file: made for the first blob in them, removed with the last one.

import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { mkdir, open, rmdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ignore } from './fs-errors.ts';

/**
 * Makes the root, mode 0700, durably, with the folders above it, unless it is there.
 * @throws the file system's error
 */
export function makeRoot(root: string): void {
  const firstMade = mkdirSync(root, { recursive: true, mode: 0o700 });
  if (firstMade === undefined) return;
  for (const folder of foldersAbove(dirname(firstMade), root)) {
    const descriptor = openSync(folder, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}

/**
 * Makes the folders above a file, mode 0700, but never the root itself: where that is gone, a volume is not mounted.
 */
export async function makeFolders(root: string, file: string): Promise<void> {
  for (const folder of foldersAbove(root, file).reverse()) {
    if (folder !== root) await mkdir(folder, { mode: 0o700 }).catch(ignore('EEXIST'));
  }
}

/** Removes the folders above a file that hold nothing any more, up to the root, which stays. */
export async function removeEmptyFolders(root: string, file: string): Promise<void> {
  for (const folder of foldersAbove(root, file)) {
    if (folder !== root) await rmdir(folder).catch(ignore('ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'));
  }
}

/** Makes the names of files below one root durable. */
export class FolderSync {
  readonly #root: string;
  /** By folder: its fsync underway, and the one that follows it. */
  readonly #underway = new Map<string, Promise<void>>();
  readonly #following = new Map<string, Promise<void>>();

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Makes the name of a file durable: fsync of every folder above it. All of them each time, since another writer may
   * have made the outer ones without having come to its own fsync; of a folder that did not change it costs 0.2 ms. /
   */
  async sync(file: string): Promise<void> {
    await Promise.all(foldersAbove(this.#root, file).map((folder) => this.#syncFolder(folder)));
  }

  /** Many who wait for the same folder share an fsync that began after each of them asked. */
  #syncFolder(folder: string): Promise<void> {
    const shared = this.#following.get(folder);
    if (shared) return shared;
    const before = this.#underway.get(folder) ?? Promise.resolve();
    const next = before
      .catch(() => undefined)
      .then(async () => {
        this.#following.delete(folder);
        const now = syncNow(folder);
        this.#underway.set(folder, now);
        await now.finally(() => {
          if (this.#underway.get(folder) === now) this.#underway.delete(folder);
        });
      });
    this.#following.set(folder, next);
    return next;
  }
}

async function syncNow(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Throws ENOENT or ENOTDIR when the root is gone, to tell a storage that is away from a file that is missing. */
export async function requireFolder(root: string): Promise<void> {
  await stat(`${root}/`);
}

/** Innermost first, the root last. */
function foldersAbove(root: string, file: string): string[] {
  const folders = [dirname(file)];
  while (folders.at(-1) !== root) folders.push(dirname(folders.at(-1)!));
  return folders;
}
