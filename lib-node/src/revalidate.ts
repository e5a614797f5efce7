// Revalidates a cached entry with the registry, by a conditional request if its ETag is known: a hit, or an offer to
// download.

import { readDocument, readDocumentUnless } from './document.ts';
import type { ReadDocument } from './document.ts';
import type { Registry } from './registry.ts';
import type { Offer } from './slots.ts';
import type { CacheEntry, CacheState } from './state.ts';
import type { Store } from './store.ts';

/** An artefact of a registry, and the store that caches it. */
export interface CacheTarget {
  registry: Registry;
  artefactId: string;
  store: Store;
}

export type Lookup = { type: 'hit'; entry: CacheEntry } | { type: 'miss'; offer: Offer; etag: string | undefined };

/** Asks the registry whether `cached` is still what it offers. */
export async function revalidate(
  target: CacheTarget,
  cached: CacheState | undefined,
  signal: AbortSignal | undefined,
): Promise<Lookup> {
  const { registry, artefactId, store } = target;
  const own = cached?.registryUrl === registry.url ? cached : undefined;
  if (own?.etag === undefined) return compare(own, await readDocument(registry, artefactId, signal), store);
  const read = await readDocumentUnless(registry, artefactId, own.etag, signal);
  return read === undefined ? { type: 'hit', entry: own.current } : compare(own, read, store);
}

function compare(own: CacheState | undefined, { document, etag }: ReadDocument, store: Store): Lookup {
  const offer = store.choose(document);
  return own !== undefined && own.etag === etag && isSameOffer(own.current, offer)
    ? { type: 'hit', entry: own.current }
    : { type: 'miss', offer, etag };
}

/** Without an ETag, the state needs an update only if a field that callers see has changed. */
function isSameOffer(entry: CacheEntry, offer: Offer): boolean {
  return entry.key === offer.key && entry.version === offer.version && entry.dataUpdatedAt === offer.dataUpdatedAt;
}
