// One place in the cache, as fill.ts brings it up to date without knowing what it holds:
// unpacked directories (package-shelf.ts) or one file (file-shelf.ts).

import type { Sink } from './download.ts';
import type { CacheSlot } from './layout.ts';
import type { Progress } from './options.ts';
import type { Offer } from './slots.ts';
import type { CacheState } from './state.ts';
import type { Artefact } from './types.ts';

export interface Shelf {
  /** Where its lock, its state and its partial downloads are. */
  slot: CacheSlot;
  /** Chooses what of a document belongs here. @throws RegistryError when there is nothing that fits */
  choose: (document: Artefact) => Offer;
  /**
   * Reads what it holds; undefined when that is nothing that could be handed out. Costs one small file and one `stat`.
   */
  readCached: () => Promise<CacheState | undefined>;
  /** Finds offered bytes that are there already, current or not, and answers their name. */
  find: (offer: Offer) => Promise<string | undefined>;
  /** Makes current what `find` has found. */
  makeCurrent: (state: CacheState) => Promise<void>;
  /** Begins to take in a download. */
  open: (intake: Intake) => Promise<Staged>;
}

export interface Intake {
  offer: Offer;
  /** The file that keeps what has been downloaded. */
  partPath: string;
  report: (progress: Progress) => void;
  signal: AbortSignal;
}

/** What is taken in. Until `place` it has no name that counts. */
export interface Staged extends Sink {
  /** Completes it when it was given all bytes, and answers the name that it will have. */
  finish: (digest: string, sizeBytes: number) => Promise<string>;
  /** Puts it in its place and makes it current. */
  place: (state: CacheState) => Promise<void>;
}
