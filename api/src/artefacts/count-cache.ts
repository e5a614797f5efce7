// Keeps the counts of lists for as long as no artefact changes: paging through a list, or typing the same search,
// counts once.

export interface CountCache {
  /** Returns the count that is kept for a version and a list, or else lets it be counted. */
  get(version: number, list: string, count: () => Promise<number>): Promise<number>;
}

/** Different lists that are kept at a time; an entry is a few hundred bytes. */
const MAX_ENTRIES = 1000;

/**
 * Makes a cache of one version at a time. Read the version before counting: a change in between then makes the count
 * too new for its version, never too old. /
 */
export function createCountCache(): CountCache {
  let keptVersion = -1;
  let kept = new Map<string, Promise<number>>();
  return {
    get(version, list, count) {
      if (version !== keptVersion || kept.size >= MAX_ENTRIES) {
        keptVersion = version;
        kept = new Map();
      }
      const entries = kept;
      const counted = entries.get(list) ?? count();
      entries.set(list, counted);
      counted.catch(() => entries.delete(list));
      return counted;
    },
  };
}
