// What happens to the unpacked directories of a slot while its lock is held: they appear whole, they go whole, none
// ever changes.

import { statSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isErrno } from './errors.ts';
import { isEntryName, isLeftover, trashName } from './layout.ts';
import type { CacheSlot } from './layout.ts';
import { readState, writeState } from './state.ts';
import type { CacheState } from './state.ts';

/**
 * A process elsewhere that was handed a directory just before it went out of date has this long to load what it needs.
 */
const MIN_RETIREMENT_MS = 60 * 60 * 1000;

export interface Keeping {
  /** How many directories stay in any case, the current one included. */
  keep: number;
  /** Tells whether somebody in this process was handed this path. */
  isHeld: (path: string) => boolean;
}

/** Tells whether an entry is there: the one `stat` of a cache hit, synchronous as `readState` is. */
export function hasEntry(slot: CacheSlot, name: string): boolean {
  return statSync(join(slot.directory, name), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/** Removes what processes that died have left, but for the partial download that can be continued. */
export async function sweepLeftovers(slot: CacheSlot, part: string): Promise<void> {
  for (const name of await readdir(slot.directory)) {
    if (isLeftover(name) && name !== part) await discard(join(slot.directory, name));
  }
}

/**
 * Gives a staged directory its name. Where an equal one is there already, from before a crash or a rollback, that one
 * stays.
 */
export async function publishStaged(slot: CacheSlot, staged: string, name: string): Promise<void> {
  try {
    await rename(staged, join(slot.directory, name));
  } catch (error) {
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
  }
}

/** Writes the slot's new state and removes what neither `keep` nor anybody's use protects. */
export async function makeCurrent(slot: CacheSlot, next: CacheState, keeping: Keeping): Promise<void> {
  const names = (await readdir(slot.directory)).filter((name) => isEntryName(name) && name !== next.current.name);
  const known = readState(slot)?.retired;
  const now = new Date().toISOString();
  const retired = Object.fromEntries(names.map((name) => [name, known?.[name] ?? now]));
  const trash: string[] = [];
  for (const name of pickRemovable(retired, keeping.keep)) {
    const path = join(slot.directory, name);
    if (keeping.isHeld(path)) continue;
    const target = join(slot.directory, trashName());
    await rename(path, target);
    trash.push(target);
    delete retired[name];
  }
  await writeState(slot, { ...next, retired });
  for (const path of trash) await discard(path);
}

/**
 * Picks the names beyond the `keep` newest that have been out of date for an hour; the current one counts as the
 * newest.
 */
function pickRemovable(retired: Record<string, string>, keep: number): string[] {
  return Object.entries(retired)
    .sort(([, a], [, b]) => b.localeCompare(a))
    .slice(keep - 1)
    .filter(([, since]) => Date.now() - Date.parse(since) > MIN_RETIREMENT_MS)
    .map(([name]) => name);
}

/** What cannot be removed now costs space only: the next sweep tries again. */
async function discard(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!isErrno(error, 'EACCES', 'EPERM', 'EBUSY', 'ENOTEMPTY')) throw error;
  }
}
