// What a driver brings to the contract, and how a case is defined.

import type { BlobStore } from '../../../src/blobs/blob-store.ts';

/** An empty place of its own for one case. */
export interface BlobStoreFixture {
  /** Makes a store over this place; a second one is what a restarted process has. */
  open(): BlobStore | Promise<BlobStore>;
  /** Names all that lies in this place, in the storage's own words: files and folders; objects, uploads and parts. */
  leftovers(): Promise<string[]>;
  remove(): Promise<void>;
}

/** Defines one case on an empty store. Its name is a sentence about stores. */
export type DefineCase = (
  behaviour: string,
  run: (store: BlobStore, fixture: BlobStoreFixture) => Promise<void>,
) => void;
