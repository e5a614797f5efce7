// DATA_DIR, which nobody but Berth's own user may read: made so, and put right where something has opened it, such as
// an earlier version, a copy, or a restore by another program.

import { chmod, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** All that Berth keeps there. SQLite chooses the names of what lies beside its database. */
const NAMES = [
  'berth.db',
  'berth.db-wal',
  'berth.db-shm',
  'berth.db-journal',
  'secrets.json',
  'secrets.json.new',
  'blobs',
];
/** File systems make it in their topmost folder. */
const HARMLESS_NAMES = ['lost+found'];
const OTHERS_MASK = 0o077;
/** Whoever sets it shares a folder with others, as /tmp is. */
const STICKY = 0o1000;

/**
 * Makes the folder where it is missing, and takes the rights of group and others from what Berth keeps in it; from the
 * folder itself only if it is Berth's alone. Files below `blobs` are not looked at one by one, since nobody gets past
 * that folder.
 *
 * @returns paths that others may go on to read, since they belong to another user, or their file system knows no modes
 * @throws the file system's error when the folder cannot be made
 */
export async function prepareDataDir(directory: string): Promise<string[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const own = (await isOwn(directory)) ? [directory] : [];
  return closeToOthers([...own, ...NAMES.map((name) => join(directory, name))]);
}

/** Takes the rights of group and others from those paths that exist. @returns those where that was not possible */
export async function closeToOthers(paths: readonly string[]): Promise<string[]> {
  const open: string[] = [];
  for (const path of paths) {
    try {
      const { mode } = await stat(path);
      if ((mode & OTHERS_MASK) === 0) continue;
      await chmod(path, mode & 0o7777 & ~OTHERS_MASK).catch(() => undefined);
      if (((await stat(path)).mode & OTHERS_MASK) !== 0) open.push(path);
    } catch {
      // It is not there, or has just gone, as a write-ahead log does; or whoever uses it next is told what is wrong.
    }
  }
  return open;
}

/** Whether a folder belongs to this user and holds nothing but what Berth keeps. */
async function isOwn(directory: string): Promise<boolean> {
  const { uid, mode } = await stat(directory);
  if (uid !== process.getuid?.() || (mode & STICKY) !== 0) return false;
  const names = await readdir(directory).catch(() => undefined);
  return names?.every((name) => NAMES.includes(name) || HARMLESS_NAMES.includes(name)) ?? false;
}
