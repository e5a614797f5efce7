// A lock between processes: a directory with one file in it, the baton, whose name says who holds it. Every change of
// hands renames the exact name that was seen, so of many that try only one succeeds, also in taking a dead holder's
// baton away. A holder that was taken for dead notices by `isHeld` and starts over.

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from './errors.ts';
import { isAlive, ownIdentity } from './process-identity.ts';
import { pause } from './retry.ts';

const FREE = 'free';
const HELD = 'held.';
const HEARTBEAT_MS = 2000;
/** Ten heartbeats missed: the holder is in another container that is gone, or has hung. */
const HEARTBEAT_EXPIRY_MS = 20_000;
const FIRST_POLL_MS = 20;
const MAX_POLL_MS = 250;

export interface Lock {
  /** Tells whether nobody has taken the baton away. */
  isHeld: () => Promise<boolean>;
  release: () => Promise<void>;
}

/**
 * Waits for the lock in `directory`, which is made when it is missing.
 *
 * A holder is passed over when its process is gone or its heartbeat (the baton's modification time) is older than 20
 * seconds. /
 */
export async function acquireLock(directory: string, signal?: AbortSignal): Promise<Lock> {
  const { space, pid, start } = await ownIdentity();
  const mine = HELD + [space, pid, start, randomBytes(8).toString('hex')].join('.');
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, MAX_POLL_MS)) {
    signal?.throwIfAborted();
    const baton = await findBaton(directory);
    const isFree =
      baton === undefined
        ? await createFree(directory)
        : baton === FREE || (await isAbandoned(directory, baton, space));
    if (isFree && (await take(directory, baton ?? FREE, mine))) return holdLock(directory, mine);
    await pause(pollMs, signal);
  }
}

function holdLock(directory: string, mine: string): Lock {
  const path = join(directory, mine);
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

async function findBaton(directory: string): Promise<string | undefined> {
  try {
    return (await readdir(directory)).find((name) => name === FREE || name.startsWith(HELD));
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Makes the lock with its baton inside at once, so that it is never seen without; false when another was faster. */
async function createFree(directory: string): Promise<boolean> {
  const fresh = `${directory}.${randomBytes(8).toString('hex')}`;
  await mkdir(fresh, { recursive: true });
  const created = (await succeeds(writeFile(join(fresh, FREE), ''))) && (await succeeds(rename(fresh, directory)));
  if (!created) await rm(fresh, { recursive: true, force: true });
  return created;
}

async function isAbandoned(directory: string, baton: string, ownSpace: string): Promise<boolean> {
  const [space = '', pid = '', start = ''] = baton.slice(HELD.length).split('.');
  if (space === ownSpace && !(await isAlive({ space, pid: Number(pid), start }))) return true;
  try {
    return Date.now() - (await stat(join(directory, baton))).mtimeMs > HEARTBEAT_EXPIRY_MS;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return false;
    throw error;
  }
}

/** Touches the baton first: under its new name it must not look abandoned for a moment. */
async function take(directory: string, baton: string, mine: string): Promise<boolean> {
  const path = join(directory, baton);
  return (await succeeds(touch(path))) && (await succeeds(rename(path, join(directory, mine))));
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now);
}

async function exists(path: string): Promise<boolean> {
  return await succeeds(stat(path));
}

/** Tells whether the operation went through; false when another was faster. */
async function succeeds(operation: Promise<unknown>): Promise<boolean> {
  try {
    await operation;
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTEMPTY', 'EEXIST')) return false;
    throw error;
  }
}
