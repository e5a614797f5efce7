// ensureArtefact and ensureArtefactFile: keep artefacts up to date in a cache that processes share. revalidate.ts asks
// the registry, fill.ts downloads on a miss; package-store.ts and file-store.ts are the two kinds of places.

import { join } from 'node:path';
import { createBuilder } from './build.ts';
import type { Builder, BuilderOptions } from './build.ts';
import { isUnreachable } from './errors.ts';
import { createFileStore } from './file-store.ts';
import { fillStore } from './fill.ts';
import type { FillResult } from './fill.ts';
import { createSharedCalls } from './in-flight.ts';
import type { Waiter } from './in-flight.ts';
import { isFileName } from './layout.ts';
import type { EnsureArtefactFileOptions, EnsureArtefactOptions, EnsuredArtefact, EnsuredFile } from './options.ts';
import { createPackageStore } from './package-store.ts';
import { createRegistry } from './registry.ts';
import { revalidate } from './revalidate.ts';
import type { CacheTarget } from './revalidate.ts';
import { checkOptions, ensureFileRules, ensureRules } from './rules.ts';
import type { Store } from './store.ts';
import type { CacheState } from './state.ts';

export interface ArtefactCache {
  ensureArtefact: (options: EnsureArtefactOptions) => Promise<EnsuredArtefact>;
  ensureArtefactFile: (options: EnsureArtefactFileOptions) => Promise<EnsuredFile>;
  releaseArtefact: (path: string) => void;
}

interface EnsureResult extends FillResult {
  stale: boolean;
}

/** Makes the state that one process has of its caches: downloads in flight and directories in use. */
export function createArtefactCache(builderOptions: BuilderOptions = {}): ArtefactCache {
  let builder: Builder | undefined;
  const sharedCalls = createSharedCalls<FillResult>();
  const useCounts = new Map<string, number>();
  const isInUse = (path: string): boolean => useCounts.has(path);

  async function ensure(options: EnsureArtefactFileOptions, store: Store): Promise<EnsureResult> {
    const { artefactId, allowStale = false } = options;
    const target = { registry: createRegistry(options), artefactId, store };
    const cached = await store.readCached();
    try {
      return { ...(await update(target, cached, options)), stale: false };
    } catch (error) {
      if (!allowStale || cached?.registryUrl !== target.registry.url || !isUnreachable(error)) throw error;
      return { entry: cached.current, downloaded: false, stale: true };
    }
  }

  async function update(
    target: CacheTarget,
    cached: CacheState | undefined,
    { signal, onProgress }: Waiter,
  ): Promise<FillResult> {
    const lookup = await revalidate(target, cached, signal);
    if (lookup.type === 'hit') return { entry: lookup.entry, downloaded: false };
    const { registry, store } = target;
    const { url, credentials } = registry;
    const key = JSON.stringify([store.slot.directory, store.limits, lookup.offer, lookup.etag, url, credentials]);
    const { value, isFirst } = await sharedCalls.join(key, { signal, onProgress }, (sharedSignal, report) =>
      fillStore({
        ...target,
        knownState: cached,
        lookup,
        signal: sharedSignal,
        report,
      }),
    );
    return { entry: value.entry, downloaded: value.downloaded && isFirst };
  }

  return {
    ensureArtefact: async (options) => {
      checkOptions('ensureArtefact', options, ensureRules);
      const { artefactId, cacheDir, architecture = process.arch, build = false, keep = 1 } = options;
      const { maxUnpackedBytes, maxEntries } = options;
      if (build) builder ??= createBuilder(builderOptions);
      const store = createPackageStore({
        cacheDir,
        artefactId,
        architecture,
        keep,
        isInUse,
        builder: build ? builder : undefined,
        limits: { maxUnpackedBytes, maxEntries },
      });
      const { entry, downloaded, stale } = await ensure(options, store);
      const { name, version, dataUpdatedAt, digest } = entry;
      const path = join(store.slot.directory, name);
      useCounts.set(path, (useCounts.get(path) ?? 0) + 1);
      return { path, version, dataUpdatedAt, digest, downloaded, stale };
    },
    ensureArtefactFile: async (options) => {
      checkOptions('ensureArtefactFile', options, ensureFileRules);
      const { artefactId, cacheDir, fileName = artefactId } = options;
      if (!isFileName(fileName))
        throw new TypeError(
          `ensureArtefactFile: the id ${JSON.stringify(artefactId)} is not a valid path inside the cache: ` +
            'set fileName',
        );
      const store = createFileStore({ cacheDir, artefactId, fileName });
      const {
        entry: { digest },
        downloaded,
        stale,
      } = await ensure(options, store);
      return { path: store.path, digest, downloaded, stale };
    },
    releaseArtefact: (path) => {
      const count = useCounts.get(path) ?? 0;
      if (count > 1) useCounts.set(path, count - 1);
      else useCounts.delete(path);
    },
  };
}
