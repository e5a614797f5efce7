// ensureArtefact and ensureArtefactFile: keep artefacts up to date in a cache that processes share. For packages,
// revalidate.ts asks the registry and fill.ts downloads on a miss; for files, fill-file.ts does both.

import { join } from 'node:path';
import { createBuilder } from './build.ts';
import type { Builder, BuilderOptions } from './build.ts';
import { isUnreachable } from './errors.ts';
import { createFileStore } from './file-store.ts';
import { fillFile, readOwnState, refreshEntry, requestNewer } from './fill-file.ts';
import type { FileTarget } from './fill-file.ts';
import { fillStore } from './fill.ts';
import type { FillResult } from './fill.ts';
import { createHandover, createSharedCalls } from './in-flight.ts';
import type { Waiter } from './in-flight.ts';
import { isFileName } from './layout.ts';
import type { EnsureArtefactFileOptions, EnsureArtefactOptions, EnsuredArtefact, EnsuredFile } from './options.ts';
import { createPackageStore } from './package-store.ts';
import { createRegistry } from './registry.ts';
import type { Registry } from './registry.ts';
import { revalidate } from './revalidate.ts';
import type { CacheTarget } from './revalidate.ts';
import { checkOptions, ensureFileRules, ensureRules } from './rules.ts';
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

  /** Runs `update`; if the registry cannot be reached at all, returns what is cached from it, if that is wanted. */
  async function orStale(
    { allowStale = false }: { allowStale?: boolean | undefined },
    registry: Registry,
    cached: CacheState | undefined,
    update: () => Promise<FillResult>,
  ): Promise<EnsureResult> {
    try {
      return { ...(await update()), stale: false };
    } catch (error) {
      if (!allowStale || cached?.registryUrl !== registry.url || !isUnreachable(error)) throw error;
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

  /** Asks again after a download that another call began: that one may be older than an upload before this call. */
  async function updateFile(target: FileTarget, waiter: Waiter): Promise<FillResult> {
    for (;;) {
      const knownState = await readOwnState(target);
      const request = createHandover(waiter.signal);
      try {
        const response = knownState && (await requestNewer(target, knownState, request.signal));
        if (knownState && response?.status === 304)
          return { entry: refreshEntry(knownState.current, response), downloaded: false };
        let isFirst = false;
        const { url, credentials } = target.registry;
        const key = JSON.stringify([target.store.slot.directory, target.artefactId, url, credentials]);
        const filled = sharedCalls.join(key, waiter, (signal, report) => {
          isFirst = true;
          request.handOver(signal);
          return fillFile({ ...target, knownState, response, signal, report });
        });
        const [{ value }] = await Promise.all([filled, isFirst ? undefined : response?.discard()]);
        if (isFirst) return value;
      } finally {
        request.release();
      }
    }
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
      const target = { registry: createRegistry(options), artefactId, store };
      const cached = await store.readCached();
      const { entry, downloaded, stale } = await orStale(options, target.registry, cached, () =>
        update(target, cached, options),
      );
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
      const store = createFileStore(cacheDir, fileName);
      const target = { registry: createRegistry(options), artefactId, store };
      const { entry, downloaded, stale } = await orStale(options, target.registry, await readOwnState(target), () =>
        updateFile(target, options),
      );
      const { digest, dataUpdatedAt } = entry;
      return { path: store.path, dataUpdatedAt, digest, downloaded, stale };
    },
    releaseArtefact: (path) => {
      const count = useCounts.get(path) ?? 0;
      if (count > 1) useCounts.set(path, count - 1);
      else useCounts.delete(path);
    },
  };
}
