// What the thread that fetches and the one that asks for it tell each other. The bytes themselves stay where they arrive.

import type { Format, Taken } from '../artefacts/index.ts';
import type { BlobStoreOptions, UploadRows } from '../blobs/index.ts';
import type { ErrorDescription } from '../errors.ts';
import type { TarballLimits } from '../tarballs/index.ts';
import type { FetchId, StoredFetch } from './fetch-repository.ts';
import type { FetchRows } from './fetch.ts';
import type { UpstreamSlot } from './upstream-bytes.ts';
import type { UpstreamAccess } from './upstream-request.ts';

/** What the thread knows from its start on. */
export interface FetchThreadData { store: BlobStoreOptions; limits: TarballLimits & { maxUploadBytes: number } }

/** What can be told of an order. */
export interface ToldOrder { upstream: UpstreamAccess; id: FetchId; format: Format; slot: UpstreamSlot; stored: StoredFetch | undefined; isNew: boolean | undefined; reservedKey: string | undefined }

/** What can be told of bytes that are here whole. */
export interface ToldFetched { storageKey: string; taken: Taken; fetchedBytes: number; isNoted: boolean }

/** What the thread asks for, as it has no database of its own. Arguments and results are what structured clones carry. */
export interface Desk {
  rows: UploadRows;
  fetches: FetchRows;
  room: { assert(sizeBytes: number): Promise<void> };
  errors: { report(error: ErrorDescription): Promise<void> };
}

/** To the thread; each fetch has a number of its own. */
export type FetchRequest
  = | { type: 'fetch'; fetch: number; order: ToldOrder }
    | { type: 'abort'; fetch: number }
    | { type: 'answer'; call: number; value: unknown }
    | { type: 'refusal'; call: number; error: ErrorDescription };

/** From the thread; nothing follows `done` and `failed`, whose `count` was not told before. `moved` stands for a SlotMovedError. */
export type FetchReport
  = | { type: 'bytes'; fetch: number; count: number }
    | { type: 'call'; call: number; part: keyof Desk; method: string; args: unknown[] }
    | { type: 'done'; fetch: number; count: number; fetched: ToldFetched }
    | { type: 'failed'; fetch: number; count: number; moved: boolean; error: ErrorDescription };
