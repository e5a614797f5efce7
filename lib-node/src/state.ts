// What a slot of the cache knows: the entry that is current and the ETag of the document that said so, and since when
// other entries have not been current. One small file, written by whoever holds the slot's lock.

import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { isErrno } from './errors.ts';
import type { CacheSlot } from './layout.ts';

/** What is handed out and the bytes that it came from. */
export interface CacheEntry {
  /** By which its place tells it from others: a directory inside the slot, or a fingerprint of the file. */
  name: string;
  /** What the document called these bytes: the digest, or `at:<dataUpdatedAt>` where there is none. */
  key: string;
  digest: string;
  version: string | undefined;
  dataUpdatedAt: string | undefined;
}

export interface CacheState {
  artefactId: string;
  /** An ETag means something to the registry that gave it only. */
  registryUrl: string;
  etag: string | undefined;
  current: CacheEntry;
  /** Since when, in ISO 8601, each other directory has not been handed out any more. */
  retired?: Record<string, string>;
}

/**
 * Reads the state of a slot; undefined when there is none, or none that can be used: then the slot is filled anew.
 * Synchronous, since each hit does it: a few hundred bytes take some 20 µs, their five ways to another thread and back
 * ten times as long. /
 */
export function readState(slot: CacheSlot): CacheState | undefined {
  try {
    const state = JSON.parse(readFileSync(slot.stateFile, 'utf8')) as CacheState;
    return isUsable(state) ? state : undefined;
  } catch (error) {
    if (isErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Replaces the state of a slot at once. The slot's lock must be held. */
export async function writeState(slot: CacheSlot, state: CacheState): Promise<void> {
  const draft = `${slot.stateFile}.draft`;
  await writeFile(draft, `${JSON.stringify(state, null, 2)}\n`);
  await rename(draft, slot.stateFile);
}

function isUsable(state: CacheState | null): boolean {
  return (
    typeof state?.current?.name === 'string' &&
    (state.retired === undefined || Object(state.retired) === state.retired)
  );
}
