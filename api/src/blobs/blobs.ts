// The slice's service: blobs by digest. Where the bytes are is a driver's business (blob-store.ts, drivers/).

import type { Readable } from 'node:stream';
import type { Database } from '../db/index.ts';
import type { BlobStore, ByteRange } from './blob-store.ts';
import { BlobMissingError } from './errors.ts';
import { blobRepository } from './repository.ts';
import { beginUpload, type BlobUpload } from './upload.ts';

export interface Blobs {
  /** Begins to take in a blob. @throws storage_full, storage_unavailable */
  begin(): Promise<BlobUpload>;
  /** Opens the bytes of a digest (`sha256:<hex>`), or a part of them. @throws blob_missing, storage_unavailable */
  read(digest: string, range?: ByteRange): Promise<Readable>;
  /** Hands the bytes of a digest, or a part of them, to `write`; the quickest way out, see BlobStore.send. */
  send(digest: string, range: ByteRange | undefined, write: (chunk: Uint8Array) => Promise<void>): Promise<void>;
  /** Counts blobs and the bytes they hold. */
  totals(): Promise<{ count: number; sizeBytes: number }>;
  /** Throws storage_unavailable when the storage does not answer. */
  check(): Promise<void>;
}

export function createBlobs({ database, store }: { database: Database; store: BlobStore }): Blobs {
  const repository = blobRepository(database.db);

  async function storageKeyOf(digest: string): Promise<string> {
    const row = await repository.find(digest);
    if (!row) throw new BlobMissingError('The registry has lost the bytes of this artefact: its administrator should upload it again.');
    return row.storageKey;
  }

  return {
    begin: () => beginUpload(database, store),
    read: async (digest, range) => store.read(await storageKeyOf(digest), range),
    send: async (digest, range, write) => store.send(await storageKeyOf(digest), range, write),
    totals: () => repository.totals(),
    check: () => store.check(),
  };
}
