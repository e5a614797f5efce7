// The interface of one place in the cache for unpacked packages, which fill.ts updates without knowing how they are
// unpacked and built (package-store.ts).

import type { Sink } from './download.ts';
import type { CacheSlot } from './layout.ts';
import type { Progress } from './options.ts';
import type { Offer } from './slots.ts';
import type { CacheState } from './state.ts';
import type { Artefact } from './types.ts';
import type { UnpackLimits } from './unpack.ts';

export interface Store {
  /** Location of its lock, its state and its partial downloads. */
  slot: CacheSlot;
  /** Limits of what is unpacked. */
  limits?: UnpackLimits;
  /** Chooses what to download from a document. @throws RegistryError if nothing in it fits this store */
  choose: (document: Artefact) => Offer;
  /** Reads the state of what can be handed out, if anything. Costs one small file and one `stat`. */
  readCached: () => Promise<CacheState | undefined>;
  /** Finds the offered bytes in the store, current or not, and returns their entry name. */
  find: (offer: Offer) => Promise<string | undefined>;
  /** Makes an entry that `find` returned the current one. */
  makeCurrent: (state: CacheState) => Promise<void>;
  /** Opens the staging area of a download. */
  open: (context: StagingContext) => Promise<Staged>;
}

export interface StagingContext {
  offer: Offer;
  report: (progress: Progress) => void;
  signal: AbortSignal;
}

/** A download in its staging area. Until `place`, no other process uses it. */
export interface Staged extends Sink {
  /** Completes the entry after its last byte, and returns the entry's name. */
  finish: (digest: string, sizeBytes: number) => Promise<string>;
  /** Moves the entry to its final place and makes it current. */
  place: (state: CacheState) => Promise<void>;
}
