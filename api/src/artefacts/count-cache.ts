// Caches the counts of lists until an artefact changes, so that paging through a list or repeating a search counts
// once.

export interface CountCache {
  /** Returns the cached count for a version and a list, or calls `count` and caches its result. */
  get(version: number, key: string, count: () => Promise<number>): Promise<number>;
}

/** Maximum number of cached lists; an entry takes a few hundred bytes. */
const MAX_ENTRIES = 1000;

/**
 * Creates a cache of one version at a time. Read the version before counting: if an artefact changes in between, the
 * count is then newer than its version, never older.
 */
export function createCountCache(): CountCache {
  let cachedVersion = -1;
  let cache = new Map<string, Promise<number>>();
  return {
    get(version, key, count) {
      if (version !== cachedVersion || cache.size >= MAX_ENTRIES) {
        cachedVersion = version;
        cache = new Map();
      }
      const entries = cache;
      const result = entries.get(key) ?? count();
      entries.set(key, result);
      result.catch(() => entries.delete(key));
      return result;
    },
  };
}
