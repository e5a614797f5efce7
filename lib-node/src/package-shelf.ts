// The place of an npm artefact: one unpacked directory for each digest, which gets its name when it is complete.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Builder } from './build.ts';
import { hasEntry, makeCurrent, publishStaged } from './cache.ts';
import type { Keeping } from './cache.ts';
import type { Sink } from './download.ts';
import { entryName, isEntryName, placeSlot, stagingName } from './layout.ts';
import type { CacheSlot } from './layout.ts';
import type { Intake, Shelf } from './shelf.ts';
import { chooseTarball } from './slots.ts';
import { readState } from './state.ts';
import { startUnpacking } from './unpack.ts';

export interface PackageShelfOptions extends Keeping {
  cacheDir: string;
  artefactId: string;
  /** As the caller asked for it, `''` included. */
  architecture: string;
  /** Builds native modules before a directory gets its name. Such directories are apart from the others. */
  builder?: Builder | undefined;
}

/** Makes the shelf of one artefact, one architecture asked for and, where it builds, one runtime. */
export function createPackageShelf({
  cacheDir,
  artefactId,
  architecture,
  builder,
  ...keeping
}: PackageShelfOptions): Shelf {
  const slot = placeSlot(cacheDir, artefactId, architecture, builder?.runtime);

  async function complete(directory: string, { offer, report, signal }: Intake): Promise<void> {
    if (builder === undefined || !offer.mayBeNative) return;
    report({ phase: 'build', bytesDone: 0, bytesTotal: undefined });
    await builder.build({ directory, scratch: join(slot.directory, stagingName()), artefactId, signal });
  }

  return {
    slot,
    choose: (document) => chooseTarball(document, architecture),
    readCached: async () => {
      const state = readState(slot);
      if (state?.artefactId !== artefactId || !isEntryName(state.current.name)) return undefined;
      return hasEntry(slot, state.current.name) ? state : undefined;
    },
    find: async ({ digest }) =>
      digest !== undefined && hasEntry(slot, entryName(digest)) ? entryName(digest) : undefined,
    makeCurrent: async (state) => {
      await makeCurrent(slot, state, keeping);
    },
    open: async (intake) => {
      const staging = await openStaging(slot, intake);
      return {
        ...staging,
        finish: async (digest, sizeBytes) => {
          await staging.finish(sizeBytes);
          await complete(staging.directory, intake);
          return entryName(digest);
        },
        place: async (state) => {
          await publishStaged(slot, staging.directory, state.current.name);
          await makeCurrent(slot, state, keeping);
        },
      };
    },
  };
}

interface Staging extends Sink {
  directory: string;
  /** Waits until all is unpacked. */
  finish: (sizeBytes: number) => Promise<void>;
}

/** Makes a fresh directory and starts the thread that unpacks into it; `abort` removes the directory. */
async function openStaging(slot: CacheSlot, { report }: Intake): Promise<Staging> {
  const directory = join(slot.directory, stagingName());
  let wholeBytes = 0;
  await mkdir(directory);
  const unpacking = startUnpacking(directory, (bytesDone) => {
    if (wholeBytes > 0) report({ phase: 'unpack', bytesDone, bytesTotal: wholeBytes });
  });
  return {
    directory,
    write: unpacking.write,
    finish: async (sizeBytes) => {
      wholeBytes = sizeBytes;
      await unpacking.finish();
    },
    abort: async () => {
      await unpacking.abort();
      // A build that was ended a moment ago may still be writing its last.
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
