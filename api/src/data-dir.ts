// Permissions of DATA_DIR: only Berth's own user may read it. They are restored at each start, since an earlier
// version, a copy, or a restore by another program may have changed them.

import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** Disk space held back for deletions, see db/reserve.ts. Nothing needs a copy of it. */
export const RESERVE_NAME = 'reserve';
/** Held by the server that uses the folder, see db/server-lock.ts. */
export const LOCK_NAME = 'server.lock';
/** Everything that Berth stores there. SQLite chooses the names of its own files beside the database. */
const NAMES = [
  'berth.db',
  'berth.db-wal',
  'berth.db-shm',
  'berth.db-journal',
  RESERVE_NAME,
  LOCK_NAME,
  `${LOCK_NAME}-journal`,
  'secrets.json',
  'secrets.json.new',
  'blobs',
];
/** File systems create it in their root folder. */
const HARMLESS_NAMES = ['lost+found'];
const OTHERS_MASK = 0o077;
/** Marks a folder that users share, such as /tmp. */
const STICKY = 0o1000;

/**
 * Creates the folder if it is missing, and removes the permissions of group and others from Berth's files in it; from
 * the folder itself only if it contains nothing else. Files below `blobs` are not checked one by one: the mode of that
 * folder protects them.
 *
 * @returns paths that others can still read, since they belong to another user or their file system has no modes
 * @throws the file system's error if the folder cannot be created
 */
export async function prepareDataDir(directory: string): Promise<string[]> {
  await makeFolder(resolve(directory));
  const own = (await isOwn(directory)) ? [directory] : [];
  return restrictToOwner([...own, ...NAMES.map((name) => join(directory, name))]);
}

/**
 * Creates a folder and its missing parents. Node's recursive mkdir never returns below /proc, and hides that a file
 * system is read-only.
 */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !existsSync(dirname(path))) {
      await makeFolder(dirname(path));
      await makeFolder(path);
    } else if (!(await isFolder(path))) throw error;
  }
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** Removes the permissions of group and others from existing paths. @returns the paths where that failed */
export async function restrictToOwner(paths: readonly string[]): Promise<string[]> {
  const exposed: string[] = [];
  for (const path of paths) {
    try {
      const { mode } = await stat(path);
      if ((mode & OTHERS_MASK) === 0) continue;
      await chmod(path, mode & 0o7777 & ~OTHERS_MASK).catch(() => undefined);
      if (((await stat(path)).mode & OTHERS_MASK) !== 0) exposed.push(path);
    } catch {
      // Missing, or just deleted, as a write-ahead log may be. Any other error shows when the path is used.
    }
  }
  return exposed;
}

/** Whether a folder belongs to this user, is not shared, and contains only Berth's files. */
async function isOwn(directory: string): Promise<boolean> {
  const { uid, mode } = await stat(directory);
  if (uid !== process.getuid?.() || (mode & STICKY) !== 0) return false;
  const names = await readdir(directory).catch(() => undefined);
  return names?.every((name) => NAMES.includes(name) || HARMLESS_NAMES.includes(name)) ?? false;
}
