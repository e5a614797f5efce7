// Stores the packages of an npm artefact: one unpacked directory per digest, renamed into place when it is complete.

import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Builder } from './build.ts';
import { hasEntry, makeCurrent, publishStaged } from './cache.ts';
import type { Retention } from './cache.ts';
import type { Sink } from './download.ts';
import { entryName, isEntryName, locateSlot, stagingName } from './layout.ts';
import type { CacheSlot } from './layout.ts';
import type { StagingContext, Store } from './store.ts';
import { chooseTarball } from './slots.ts';
import { readState } from './state.ts';
import { startUnpacking } from './unpack.ts';
import type { UnpackLimits } from './unpack.ts';

export interface PackageStoreOptions extends Retention {
  cacheDir: string;
  artefactId: string;
  /** As requested by the caller; `''` for `noarch` only. */
  architecture: string;
  /** Builds native modules before a directory gets its name. Built directories have a slot of their own. */
  builder?: Builder | undefined;
  limits?: UnpackLimits | undefined;
}

/** Makes the store of one artefact, one requested architecture and, with a builder, one runtime. */
export function createPackageStore({
  cacheDir,
  artefactId,
  architecture,
  builder,
  limits = {},
  ...retention
}: PackageStoreOptions): Store {
  const slot = locateSlot(cacheDir, artefactId, architecture, builder?.runtime);

  async function buildIfNative(directory: string, { offer, report, signal }: StagingContext): Promise<void> {
    if (builder === undefined || !offer.mayBeNative) return;
    report({ phase: 'build', bytesDone: 0, bytesTotal: undefined });
    await builder.build({ directory, scratch: join(slot.directory, stagingName()), artefactId, signal });
  }

  return {
    slot,
    limits,
    choose: (document) => chooseTarball(document, architecture),
    readCached: async () => {
      const state = readState(slot);
      if (state?.artefactId !== artefactId || !isEntryName(state.current.name)) return undefined;
      return hasEntry(slot, state.current.name) ? state : undefined;
    },
    find: async ({ digest }) =>
      digest !== undefined && hasEntry(slot, entryName(digest)) ? entryName(digest) : undefined,
    makeCurrent: async (state) => {
      await makeCurrent(slot, state, retention);
    },
    open: async (context) => {
      const staging = await openStaging(slot, limits, context);
      return {
        ...staging,
        finish: async (digest, sizeBytes) => {
          await staging.finish(sizeBytes);
          await buildIfNative(staging.directory, context);
          return entryName(digest);
        },
        place: async (state) => {
          await publishStaged(slot, staging.directory, state.current.name);
          await makeCurrent(slot, state, retention);
        },
      };
    },
  };
}

interface Staging extends Sink {
  directory: string;
  /** Waits until everything is unpacked. */
  finish: (sizeBytes: number) => Promise<void>;
}

/** Creates a directory and starts the worker thread that unpacks into it; `abort` removes the directory. */
async function openStaging(slot: CacheSlot, limits: UnpackLimits, { report }: StagingContext): Promise<Staging> {
  const directory = join(slot.directory, stagingName());
  let totalBytes = 0;
  await mkdir(directory);
  const unpacking = startUnpacking(directory, limits, (bytesDone) => {
    if (totalBytes > 0) report({ phase: 'unpack', bytesDone, bytesTotal: totalBytes });
  });
  return {
    directory,
    write: unpacking.write,
    finish: async (sizeBytes) => {
      totalBytes = sizeBytes;
      await unpacking.finish();
    },
    abort: async () => {
      await unpacking.abort();
      // Retries, since a build that was just killed may still be writing.
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
