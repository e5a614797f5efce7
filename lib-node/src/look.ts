// Compares what a slot of the cache holds with what the registry offers: a hit, or something to fetch.

import { hasEntry } from './cache.ts';
import { readDocument, readDocumentUnless } from './document.ts';
import type { ReadDocument } from './document.ts';
import type { CacheSlot } from './layout.ts';
import type { Registry } from './registry.ts';
import { chooseOffer } from './slots.ts';
import type { Offer } from './slots.ts';
import { readState } from './state.ts';
import type { CacheEntry, CacheState } from './state.ts';

/** What is wanted, and the part of the cache where it belongs. */
export interface Subject {
  registry: Registry;
  artefactId: string;
  /** As the caller asked for it, `''` included. */
  architecture: string;
  slot: CacheSlot;
}

export type Finding
  = | { type: 'hit'; entry: CacheEntry }
    | { type: 'miss'; offer: Offer; etag: string | undefined };

/** Reads what the slot holds; undefined when it holds nothing that could be handed out. */
export async function readCached({ slot, artefactId }: Subject): Promise<CacheState | undefined> {
  const state = await readState(slot);
  return state?.artefactId === artefactId && await hasEntry(slot, state.current.name) ? state : undefined;
}

/** Asks the registry whether `cached` is still what it offers. */
export async function look(subject: Subject, cached: CacheState | undefined, signal: AbortSignal | undefined): Promise<Finding> {
  const { registry, artefactId, architecture } = subject;
  const own = cached?.registryUrl === registry.url ? cached : undefined;
  if (own?.etag === undefined) return compare(own, await readDocument(registry, artefactId, signal), architecture);
  const read = await readDocumentUnless(registry, artefactId, own.etag, signal);
  return read === undefined ? { type: 'hit', entry: own.current } : compare(own, read, architecture);
}

function compare(own: CacheState | undefined, { document, etag }: ReadDocument, architecture: string): Finding {
  const offer = chooseOffer(document, architecture);
  return own !== undefined && own.etag === etag && isSameOffer(own.current, offer)
    ? { type: 'hit', entry: own.current }
    : { type: 'miss', offer, etag };
}

/** Without an ETag, the fields that callers see tell whether the state has to be written anew. */
function isSameOffer(entry: CacheEntry, offer: Offer): boolean {
  return entry.key === offer.key && entry.version === offer.version && entry.dataUpdatedAt === offer.dataUpdatedAt;
}
