// What a driver provides for the contract tests, and how a case is defined.

import type { BlobStore } from '../../../src/blobs/blob-store.ts';

/** An empty storage for one case. */
export interface BlobStoreFixture {
  /** Opens a store on this storage. A second one simulates a restarted process. */
  open(): BlobStore | Promise<BlobStore>;
  /** Names everything in the storage, in its own terms: files and folders; objects, uploads and parts. */
  leftovers(): Promise<string[]>;
  remove(): Promise<void>;
}

/** Defines one case on an empty store. Its name describes the behaviour of a store. */
export type DefineCase = (
  behaviour: string,
  run: (store: BlobStore, fixture: BlobStoreFixture) => Promise<void>,
) => void;
