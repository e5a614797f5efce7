// A directory that a download is unpacked into before it gets the name under which it counts.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sink } from './download.ts';
import { stagingName } from './layout.ts';
import type { CacheSlot } from './layout.ts';
import { startUnpacking } from './unpack.ts';
import type { Unpacking } from './unpack.ts';

export interface Staging extends Sink, Unpacking { directory: string }

/** Makes a fresh directory in a slot and starts the thread that unpacks into it; `abort` removes the directory. */
export async function openStaging(slot: CacheSlot, onConsumed: (bytes: number) => void): Promise<Staging> {
  const directory = join(slot.directory, stagingName());
  await mkdir(directory);
  const unpacking = startUnpacking(directory, onConsumed);
  return {
    ...unpacking,
    directory,
    abort: async () => {
      await unpacking.abort();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
