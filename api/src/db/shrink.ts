// Gives the space of deleted rows back to the file system. SQLite only reuses it by itself; PostgreSQL has autovacuum.

import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from './database.ts';

export interface ShrinkOptions {
  signal?: AbortSignal;
  /** Free space that is worth the work; less is reused soon. Default 16 MiB. */
  minFreeBytes?: number;
}

const MIN_FREE_BYTES = 16 * 1024 * 1024;
/** Free pages beyond this share of the file are given back. The rest is left for new rows. */
const FREE_SHARE = 0.1;
/** Moved per transaction, during which every other request waits: a few milliseconds. */
const PAGES_PER_STEP = 256;
/** Leaves most of the time to requests. */
const PAUSE_MS = 20;

/**
 * Shrinks the file of an embedded database, step by step. Files that were created by versions before this feature stay
 * as they are: only VACUUM, which stops the server, could prepare them.
 * @returns how many bytes it gave back; the file itself shrinks with the next checkpoint
 */
export async function shrink(
  { db, vacuum }: Pick<Database, 'db' | 'vacuum'>,
  { signal, minFreeBytes = MIN_FREE_BYTES }: ShrinkOptions = {},
): Promise<{ freedBytes: number }> {
  const pragma = async (name: string): Promise<number> => {
    const { rows } = await sql<Record<string, number>>`pragma ${sql.raw(name)}`.execute(db);
    return Object.values(rows[0] ?? {})[0] ?? 0;
  };
  const pageBytes = await pragma('page_size');
  const first = await pragma('page_count');
  for (let pages = first; ;) {
    signal?.throwIfAborted();
    const free = await pragma('freelist_count');
    const excess = free - Math.floor(pages * FREE_SHARE);
    if (excess > 0 && free * pageBytes >= minFreeBytes) await vacuum(Math.min(excess, PAGES_PER_STEP));
    const left = await pragma('page_count');
    if (left === pages) return { freedBytes: (first - left) * pageBytes };
    pages = left;
    await sleep(PAUSE_MS);
  }
}
