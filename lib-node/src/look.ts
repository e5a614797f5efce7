// Compares what a shelf of the cache holds with what the registry offers: a hit, or something to fetch.

import { readDocument, readDocumentUnless } from './document.ts';
import type { ReadDocument } from './document.ts';
import type { Registry } from './registry.ts';
import type { Shelf } from './shelf.ts';
import type { Offer } from './slots.ts';
import type { CacheEntry, CacheState } from './state.ts';

/** What is wanted, and the place in the cache where it belongs. */
export interface Subject {
  registry: Registry;
  artefactId: string;
  shelf: Shelf;
}

export type Finding = { type: 'hit'; entry: CacheEntry } | { type: 'miss'; offer: Offer; etag: string | undefined };

/** Asks the registry whether `cached` is still what it offers. */
export async function look(
  subject: Subject,
  cached: CacheState | undefined,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  const { registry, artefactId, shelf } = subject;
  const own = cached?.registryUrl === registry.url ? cached : undefined;
  if (own?.etag === undefined) return compare(own, await readDocument(registry, artefactId, signal), shelf);
  const read = await readDocumentUnless(registry, artefactId, own.etag, signal);
  return read === undefined ? { type: 'hit', entry: own.current } : compare(own, read, shelf);
}

function compare(own: CacheState | undefined, { document, etag }: ReadDocument, shelf: Shelf): Finding {
  const offer = shelf.choose(document);
  return own !== undefined && own.etag === etag && isSameOffer(own.current, offer)
    ? { type: 'hit', entry: own.current }
    : { type: 'miss', offer, etag };
}

/** Without an ETag, the fields that callers see tell whether the state has to be written anew. */
function isSameOffer(entry: CacheEntry, offer: Offer): boolean {
  return entry.key === offer.key && entry.version === offer.version && entry.dataUpdatedAt === offer.dataUpdatedAt;
}
