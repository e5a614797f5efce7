// The place of an npm artefact: one unpacked directory for each digest, which gets its name when it is complete.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasEntry, makeCurrent, publishStaged } from './cache.ts';
import type { Keeping } from './cache.ts';
import { entryName, isEntryName, placeSlot, stagingName } from './layout.ts';
import type { CacheSlot } from './layout.ts';
import type { Intake, Shelf, Staged } from './shelf.ts';
import { chooseTarball } from './slots.ts';
import { readState } from './state.ts';
import { startUnpacking } from './unpack.ts';

export interface PackageShelfOptions extends Keeping {
  cacheDir: string;
  artefactId: string;
  /** As the caller asked for it, `''` included. */
  architecture: string;
}

/** Makes the shelf of one artefact and one architecture asked for. */
export function createPackageShelf({ cacheDir, artefactId, architecture, ...keeping }: PackageShelfOptions): Shelf {
  const slot = placeSlot(cacheDir, artefactId, architecture);
  return {
    slot,
    choose: (document) => chooseTarball(document, architecture),
    readCached: async () => {
      const state = await readState(slot);
      if (state?.artefactId !== artefactId || !isEntryName(state.current.name)) return undefined;
      return await hasEntry(slot, state.current.name) ? state : undefined;
    },
    find: async ({ digest }) => digest !== undefined && await hasEntry(slot, entryName(digest)) ? entryName(digest) : undefined,
    makeCurrent: async (state) => { await makeCurrent(slot, state, keeping); },
    open: async (intake) => await openStaging(slot, keeping, intake),
  };
}

/** Makes a fresh directory and starts the thread that unpacks into it; `abort` removes the directory. */
async function openStaging(slot: CacheSlot, keeping: Keeping, { report }: Intake): Promise<Staged> {
  const directory = join(slot.directory, stagingName());
  let wholeBytes = 0;
  await mkdir(directory);
  const unpacking = startUnpacking(directory, (bytesDone) => {
    if (wholeBytes > 0) report({ phase: 'unpack', bytesDone, bytesTotal: wholeBytes });
  });
  return {
    write: unpacking.write,
    finish: async (digest, sizeBytes) => {
      wholeBytes = sizeBytes;
      await unpacking.finish();
      return entryName(digest);
    },
    place: async (state) => {
      await publishStaged(slot, directory, state.current.name);
      await makeCurrent(slot, state, keeping);
    },
    abort: async () => {
      await unpacking.abort();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
