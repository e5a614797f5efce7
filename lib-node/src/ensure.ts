// ensureArtefact and ensureArtefactFile: what a registry offers, up to date in a cache that processes share. What it
// offers is compared in look.ts, a miss is filled in fill.ts; packages and files have their places in package-shelf.ts
// and file-shelf.ts.

import { join } from 'node:path';
import { createBuilder } from './build.ts';
import type { Builder, BuilderOptions } from './build.ts';
import { isUnreachable } from './errors.ts';
import { createFileShelf } from './file-shelf.ts';
import { fillShelf } from './fill.ts';
import type { Filled } from './fill.ts';
import { createFlights } from './flights.ts';
import type { Passenger } from './flights.ts';
import { isFileName } from './layout.ts';
import { look } from './look.ts';
import type { Subject } from './look.ts';
import type { EnsureArtefactFileOptions, EnsureArtefactOptions, EnsuredArtefact, EnsuredFile } from './options.ts';
import { createPackageShelf } from './package-shelf.ts';
import { createRegistry } from './registry.ts';
import { checkOptions, ensureFileRules, ensureRules } from './rules.ts';
import type { Shelf } from './shelf.ts';
import type { CacheState } from './state.ts';

export interface ArtefactCache {
  ensureArtefact: (options: EnsureArtefactOptions) => Promise<EnsuredArtefact>;
  ensureArtefactFile: (options: EnsureArtefactFileOptions) => Promise<EnsuredFile>;
  releaseArtefact: (path: string) => void;
}

interface Ensured extends Filled {
  stale: boolean;
}

/** Makes what one process knows of its caches: the downloads under way and the directories that were handed out. */
export function createArtefactCache(builderOptions: BuilderOptions = {}): ArtefactCache {
  let builder: Builder | undefined;
  const flights = createFlights<Filled>();
  const held = new Map<string, number>();
  const isHeld = (path: string): boolean => held.has(path);

  async function ensure(options: EnsureArtefactFileOptions, shelf: Shelf): Promise<Ensured> {
    const { artefactId, allowStale = false } = options;
    const subject = { registry: createRegistry(options), artefactId, shelf };
    const cached = await shelf.readCached();
    try {
      return { ...(await bringUpToDate(subject, cached, options)), stale: false };
    } catch (error) {
      if (!allowStale || cached?.registryUrl !== subject.registry.url || !isUnreachable(error)) throw error;
      return { entry: cached.current, downloaded: false, stale: true };
    }
  }

  async function bringUpToDate(
    subject: Subject,
    cached: CacheState | undefined,
    { signal, onProgress }: Passenger,
  ): Promise<Filled> {
    const finding = await look(subject, cached, signal);
    if (finding.type === 'hit') return { entry: finding.entry, downloaded: false };
    const { registry, shelf } = subject;
    const key = JSON.stringify([
      shelf.slot.directory,
      finding.offer,
      finding.etag,
      registry.url,
      registry.credentials,
    ]);
    const { value, isFirst } = await flights.join(key, { signal, onProgress }, (shared, report) =>
      fillShelf({
        ...subject,
        seen: cached,
        finding,
        signal: shared,
        report,
      }),
    );
    return { entry: value.entry, downloaded: value.downloaded && isFirst };
  }

  return {
    ensureArtefact: async (options) => {
      checkOptions('ensureArtefact', options, ensureRules);
      const { artefactId, cacheDir, architecture = process.arch, build = false, keep = 1 } = options;
      if (build) builder ??= createBuilder(builderOptions);
      const shelf = createPackageShelf({
        cacheDir,
        artefactId,
        architecture,
        keep,
        isHeld,
        builder: build ? builder : undefined,
      });
      const { entry, downloaded, stale } = await ensure(options, shelf);
      const { name, version, dataUpdatedAt, digest } = entry;
      const path = join(shelf.slot.directory, name);
      held.set(path, (held.get(path) ?? 0) + 1);
      return { path, version, dataUpdatedAt, digest, downloaded, stale };
    },
    ensureArtefactFile: async (options) => {
      checkOptions('ensureArtefactFile', options, ensureFileRules);
      const { artefactId, cacheDir, fileName = artefactId } = options;
      if (!isFileName(fileName))
        throw new TypeError(
          `ensureArtefactFile: the id ${JSON.stringify(artefactId)} cannot be the path of a file in the cache: ` +
            'give a fileName',
        );
      const shelf = createFileShelf({ cacheDir, artefactId, fileName });
      const {
        entry: { digest },
        downloaded,
        stale,
      } = await ensure(options, shelf);
      return { path: shelf.path, digest, downloaded, stale };
    },
    releaseArtefact: (path) => {
      const count = held.get(path) ?? 0;
      if (count > 1) held.set(path, count - 1);
      else held.delete(path);
    },
  };
}
