// Adds and evicts the unpacked directories of a slot, under its lock. Directories appear and disappear by a rename and
// never change.

import { statSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from './errors.ts';
import { isEntryName, isLeftover, trashName } from './layout.ts';
import type { CacheSlot } from './layout.ts';
import { readState, writeState } from './state.ts';
import type { CacheState } from './state.ts';

/** Grace period for another process that was given a directory just before it went out of date. */
const MIN_RETIREMENT_MS = 60 * 60 * 1000;

export interface Retention {
  /** Minimum number of directories to keep, including the current one. */
  keep: number;
  /** Tells whether a caller in this process uses this path. */
  isInUse: (path: string) => boolean;
}

/** Tells whether an entry exists: the one `stat` of a cache hit, synchronous like `readState`. */
export function hasEntry(slot: CacheSlot, name: string): boolean {
  return statSync(join(slot.directory, name), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Removes what dead processes left behind, except for the partial download that can be resumed. */
export async function sweepLeftovers(slot: CacheSlot, part: string): Promise<void> {
  for (const name of await readdir(slot.directory)) {
    if (isLeftover(name) && name !== part) await discard(join(slot.directory, name));
  }
}

/** Moves a staged directory to its name. An equal one that exists, from before a crash or a rollback, is kept. */
export async function publishStaged(slot: CacheSlot, staged: string, name: string): Promise<void> {
  try {
    await rename(staged, join(slot.directory, name));
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  }
}

/** Writes the slot's new state and evicts directories beyond `keep` that are not in use. */
export async function makeCurrent(slot: CacheSlot, next: CacheState, retention: Retention): Promise<void> {
  const names = (await readdir(slot.directory)).filter((name) => isEntryName(name) && name !== next.current.name);
  const retiredBefore = readState(slot)?.retired;
  const now = new Date().toISOString();
  const retired = Object.fromEntries(names.map((name) => [name, retiredBefore?.[name] ?? now]));
  const trash: string[] = [];
  for (const name of listEvictable(retired, retention.keep)) {
    const path = join(slot.directory, name);
    if (retention.isInUse(path)) continue;
    const target = join(slot.directory, trashName());
    await rename(path, target);
    trash.push(target);
    delete retired[name];
  }
  await writeState(slot, { ...next, retired });
  for (const path of trash) await discard(path);
}

/** Lists names beyond the `keep` newest that went out of date an hour ago; the current one counts as the newest. */
function listEvictable(retired: Record<string, string>, keep: number): string[] {
  return Object.entries(retired)
    .sort(([, a], [, b]) => b.localeCompare(a))
    .slice(keep - 1)
    .filter(([, since]) => Date.now() - Date.parse(since) > MIN_RETIREMENT_MS)
    .map(([name]) => name);
}

/** Removes a directory if possible; the next sweep retries. */
async function discard(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM', 'EBUSY', 'ENOTEMPTY')) throw error;
  }
}
