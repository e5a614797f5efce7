// A lock between processes: a directory with one file, whose name identifies the holder. Acquiring, releasing and
// taking over rename exactly the name that was read, so only one of several contenders succeeds. A holder whose lock
// was taken over detects this by `isHeld`.

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from './errors.ts';
import { isAlive, ownIdentity } from './process-identity.ts';
import { pause } from './retry.ts';

const FREE = 'free';
const HELD = 'held.';
const HEARTBEAT_MS = 2000;
/** Ten missed heartbeats: the holder is in another container that is gone, or hangs. */
const HEARTBEAT_EXPIRY_MS = 20_000;
const FIRST_POLL_MS = 20;
const MAX_POLL_MS = 250;

export interface Lock {
  /** Tells whether the lock is still held: another process may have taken it over. */
  isHeld: () => Promise<boolean>;
  release: () => Promise<void>;
}

/**
 * Waits for the lock in `directory`, which is created if it is missing. The lock of a holder is taken over if its
 * process is gone, or if its heartbeat (the file's modification time) is older than 20 seconds.
 */
export async function acquireLock(directory: string, signal?: AbortSignal): Promise<Lock> {
  const { space, pid, start } = await ownIdentity();
  const ownName = HELD + [space, pid, start, randomBytes(8).toString('hex')].join('.');
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, MAX_POLL_MS)) {
    signal?.throwIfAborted();
    const name = await readName(directory);
    const isFree =
      name === undefined ? await createFree(directory) : name === FREE || (await isAbandoned(directory, name, space));
    if (isFree && (await claim(directory, name ?? FREE, ownName))) return holdLock(directory, ownName);
    await pause(pollMs, signal);
  }
}

/**
 * Runs `work` under the lock, again if another process has taken over the lock meanwhile: this process was suspended.
 */
export async function runLocked<T>(
  directory: string,
  signal: AbortSignal,
  work: (lock: Lock) => Promise<T>,
): Promise<T> {
  for (;;) {
    const lock = await acquireLock(directory, signal);
    try {
      return await work(lock);
    } catch (error) {
      if (signal.aborted || (await lock.isHeld())) throw error;
    } finally {
      await lock.release();
    }
  }
}

function holdLock(directory: string, ownName: string): Lock {
  const path = join(directory, ownName);
  const heartbeat = setInterval(() => {
    touch(path).catch(() => undefined);
  }, HEARTBEAT_MS).unref();
  return {
    isHeld: async () => await exists(path),
    release: async () => {
      clearInterval(heartbeat);
      await succeeds(rename(path, join(directory, FREE)));
    },
  };
}

/** Reads the name of the lock's file: `free` or `held.…`; undefined without one. */
async function readName(directory: string): Promise<string | undefined> {
  try {
    return (await readdir(directory)).find((name) => name === FREE || name.startsWith(HELD));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Creates the directory with its file atomically, by a rename; false if another process was faster. */
async function createFree(directory: string): Promise<boolean> {
  const fresh = `${directory}.${randomBytes(8).toString('hex')}`;
  await mkdir(fresh, { recursive: true });
  const created = (await succeeds(writeFile(join(fresh, FREE), ''))) && (await succeeds(rename(fresh, directory)));
  if (!created) await rm(fresh, { recursive: true, force: true });
  return created;
}

async function isAbandoned(directory: string, name: string, ownSpace: string): Promise<boolean> {
  const [space = '', pid = '', start = ''] = name.slice(HELD.length).split('.');
  if (space === ownSpace && !(await isAlive({ space, pid: Number(pid), start }))) return true;
  try {
    return Date.now() - (await stat(join(directory, name))).mtimeMs > HEARTBEAT_EXPIRY_MS;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Claims the lock. Touches the file first, so that it never looks abandoned under its new name. */
async function claim(directory: string, name: string, ownName: string): Promise<boolean> {
  const path = join(directory, name);
  return (await succeeds(touch(path))) && (await succeeds(rename(path, join(directory, ownName))));
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now);
}

async function exists(path: string): Promise<boolean> {
  return await succeeds(stat(path));
}

/** Returns false if the operation failed because another process was faster. */
async function succeeds(operation: Promise<unknown>): Promise<boolean> {
  try {
    await operation;
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) return false;
    throw error;
  }
}
