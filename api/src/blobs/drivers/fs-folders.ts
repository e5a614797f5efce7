// The folders between the root and a file: created for their first blob, removed with their last one.

import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { mkdir, open, rmdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ignore } from './fs-errors.ts';

/**
 * Creates the root durably, mode 0700, including the folders above it, unless it exists.
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

/** Creates the folders above a file, mode 0700, but never the root: a missing root means an unmounted volume. */
export async function makeFolders(root: string, file: string): Promise<void> {
  for (const folder of foldersAbove(root, file).reverse()) {
    if (folder !== root) await mkdir(folder, { mode: 0o700 }).catch(ignore('EEXIST'));
  }
}

/** Removes the empty folders above a file, up to but excluding the root. */
export async function removeEmptyFolders(root: string, file: string): Promise<void> {
  for (const folder of foldersAbove(root, file)) {
    if (folder !== root) await rmdir(folder).catch(ignore('ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR'));
  }
}

/** Makes the directory entries of files below one root durable. */
export class FolderSync {
  readonly #root: string;
  /** Per folder: the fsync in progress, and the next one. */
  readonly #inProgress = new Map<string, Promise<void>>();
  readonly #queued = new Map<string, Promise<void>>();

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Makes the directory entry of a file durable: fsync of every folder above it. All of them each time, since another
   * writer may have created the outer ones and not synced them yet; an unchanged folder costs 0.2 ms.
   */
  async sync(file: string): Promise<void> {
    await Promise.all(foldersAbove(this.#root, file).map((folder) => this.#syncFolder(folder)));
  }

  /** Callers that wait for the same folder share one fsync, which starts after the last of them has called. */
  #syncFolder(folder: string): Promise<void> {
    const shared = this.#queued.get(folder);
    if (shared) return shared;
    const before = this.#inProgress.get(folder) ?? Promise.resolve();
    const next = before
      .catch(() => undefined)
      .then(async () => {
        this.#queued.delete(folder);
        const now = syncNow(folder);
        this.#inProgress.set(folder, now);
        await now.finally(() => {
          if (this.#inProgress.get(folder) === now) this.#inProgress.delete(folder);
        });
      });
    this.#queued.set(folder, next);
    return next;
  }
}

async function syncNow(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close().catch(() => undefined);
  }
}

/** Throws ENOENT or ENOTDIR if the root is gone. Distinguishes an unavailable storage from a missing file. */
export async function assertRootExists(root: string): Promise<void> {
  await stat(`${root}/`);
}

/** Lists the folders above a file, innermost first, the root last. */
function foldersAbove(root: string, file: string): string[] {
  const folders = [dirname(file)];
  while (folders.at(-1) !== root) folders.push(dirname(folders.at(-1)!));
  return folders;
}
