// The bytes of many slots in one answer, one behind the other, for mirrors of many small artefacts: to be asked for each costs more than
// to send it (decision 23). The header `berth-parts` tells what is in it.

import { enforce, NotVisibleError, policy, type Caller } from '../access/index.ts';
import type { Blobs } from '../blobs/index.ts';
import type { Database } from '../db/index.ts';
import type { ByteSource } from '../http/index.ts';
import { artefactRepository, type DownloadFacts } from './repository.ts';
import type { TransferCounts } from './transfer-counts.ts';

export interface BulkDownload { headers: Record<string, string>; body: ByteSource }

export interface BulkDownloadOptions { database: Database; blobs: Blobs; counts: Pick<TransferCounts, 'countDownload'> }

/** What is sent of one slot; `index` is its place among those that were asked for. */
interface Part { index: number; id: string; digest: string; sizeBytes: number }

/** Makes a function that answers with slots, each asked for as `<architecture>:<id>`, for a file `:<id>`. */
export function createBulkDownload({ database, blobs, counts }: BulkDownloadOptions) {
  const artefacts = artefactRepository(database.db);

  /** @returns whether the caller may have the artefact; false where there is none, as far as he sees @throws unauthenticated, no_access_grant */
  async function mayHave(caller: Caller, id: string, facts: DownloadFacts | undefined): Promise<boolean> {
    const privateAccess = facts && !facts.public ? await artefacts.findPrivateAccess(id) : [];
    const refusal = policy.downloadArtefact(caller, { public: facts?.public ?? false, privateAccess });
    if (!(refusal instanceof NotVisibleError)) enforce(refusal);
    return refusal === undefined && facts !== undefined;
  }

  /** A storage that serves files itself is to be asked for them, by way of their own routes. */
  async function isElsewhere(digest: string, { format }: DownloadFacts): Promise<boolean> {
    return format === 'file' && await blobs.link(digest, { contentDisposition: 'attachment', contentType: 'application/octet-stream' }) !== undefined;
  }

  /** Leaves out what is not there, what the caller may not see, and what the storage serves. @throws unauthenticated, no_access_grant, blob_missing */
  return async function bulkDownload(caller: Caller, slots: readonly string[]): Promise<BulkDownload> {
    const asked = slots.map((slot) => ({ architecture: slot.slice(0, slot.indexOf(':')), id: slot.slice(slot.indexOf(':') + 1) }));
    const byId = await artefacts.findManyDownloadFacts([...new Set(asked.map(({ id }) => id))]);
    const parts: Part[] = [];
    for (const [index, { id, architecture }] of asked.entries()) {
      const facts = byId.get(id);
      const slot = facts?.slots.find((other) => other.architecture === architecture);
      if (!await mayHave(caller, id, facts) || !facts || !slot || await isElsewhere(slot.digest, facts)) continue;
      parts.push({ index, id, digest: slot.digest, sizeBytes: slot.sizeBytes });
    }
    return {
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)),
        'berth-parts': parts.map(({ index, sizeBytes, digest }) => `${index}:${sizeBytes}:${digest.replace('sha256:', '')}`).join(', '),
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      },
      body: async (write) => {
        for (const { id, sizeBytes } of parts) counts.countDownload(id, sizeBytes);
        await blobs.sendAll(parts.map(({ digest }) => digest), write);
      },
    };
  };
}
