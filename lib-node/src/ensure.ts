// ensureArtefact: the package of an artefact, unpacked and up to date, in a cache that processes share.
// What the registry offers is compared in look.ts, a miss is filled in fill.ts, the directories are kept in cache.ts.

import { join } from 'node:path';
import { isUnreachable } from './errors.ts';
import { fillSlot } from './fill.ts';
import type { Filled } from './fill.ts';
import { createFlights } from './flights.ts';
import { placeSlot } from './layout.ts';
import { look, readCached } from './look.ts';
import type { Subject } from './look.ts';
import type { EnsureArtefactOptions, EnsuredArtefact } from './options.ts';
import { createRegistry } from './registry.ts';
import { checkOptions, ensureRules } from './rules.ts';
import type { CacheEntry, CacheState } from './state.ts';

export interface ArtefactCache {
  ensureArtefact: (options: EnsureArtefactOptions) => Promise<EnsuredArtefact>;
  releaseArtefact: (path: string) => void;
}

/** Makes what one process knows of its caches: the downloads under way and the directories that were handed out. */
export function createArtefactCache(): ArtefactCache {
  const flights = createFlights<Filled>();
  const held = new Map<string, number>();

  async function bringUpToDate(options: EnsureArtefactOptions, subject: Subject, cached: CacheState | undefined): Promise<Filled> {
    const { signal, onProgress, keep = 1 } = options;
    const finding = await look(subject, cached, signal);
    if (finding.type === 'hit') return { entry: finding.entry, downloaded: false };
    const { slot, registry } = subject;
    const key = JSON.stringify([slot.directory, finding.offer, finding.etag, registry.url, registry.credentials]);
    const { value, isFirst } = await flights.join(key, { signal, onProgress }, (shared, report) => fillSlot({
      ...subject, keep, isHeld: (path) => held.has(path), seen: cached, finding, signal: shared, report,
    }));
    return { entry: value.entry, downloaded: value.downloaded && isFirst };
  }

  function handOut({ slot }: Subject, entry: CacheEntry, flags: { downloaded: boolean; stale: boolean }): EnsuredArtefact {
    const path = join(slot.directory, entry.name);
    held.set(path, (held.get(path) ?? 0) + 1);
    const { version, dataUpdatedAt, digest } = entry;
    return { path, version, dataUpdatedAt, digest, ...flags };
  }

  return {
    ensureArtefact: async (options) => {
      checkOptions('ensureArtefact', options, ensureRules);
      const { artefactId, cacheDir, architecture = process.arch, allowStale = false } = options;
      const subject = { registry: createRegistry(options), artefactId, architecture, slot: placeSlot(cacheDir, artefactId, architecture) };
      const cached = await readCached(subject);
      try {
        const { entry, downloaded } = await bringUpToDate(options, subject, cached);
        return handOut(subject, entry, { downloaded, stale: false });
      } catch (error) {
        if (!allowStale || cached?.registryUrl !== subject.registry.url || !isUnreachable(error)) throw error;
        return handOut(subject, cached.current, { downloaded: false, stale: true });
      }
    },
    releaseArtefact: (path) => {
      const count = held.get(path) ?? 0;
      if (count > 1) held.set(path, count - 1);
      else held.delete(path);
    },
  };
}
