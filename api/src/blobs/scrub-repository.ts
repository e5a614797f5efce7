import type { Executor, Tx } from '../db/index.ts';
import type { BlobRow } from './repository.ts';

/** A slot that refers to a blob. `architecture` is empty for a file artefact, which has a single slot. */
export interface SlotOfBlob {
  id: string;
  architecture: string;
}

export function scrubRepository(executor: Executor | Tx) {
  return {
    /** Lists the blobs after a digest, in digest order. */
    async listAfter(digest: string, limit: number): Promise<BlobRow[]> {
      const rows = await executor
        .selectFrom('blobs')
        .select(['digest', 'storage_key as storageKey', 'size as sizeBytes', 'state'])
        .where('digest', '>', digest)
        .orderBy('digest')
        .limit(limit)
        .execute();
      return rows as BlobRow[];
    },

    /** Lists the slots that refer to blobs, by digest. */
    async listSlots(digests: readonly string[]): Promise<Map<string, SlotOfBlob[]>> {
      if (digests.length === 0) return new Map();
      const rows = await executor
        .selectFrom('slots')
        .select(['digest', 'artefact_id as id', 'architecture'])
        .where('digest', 'in', digests)
        .orderBy('artefact_id')
        .orderBy('architecture')
        .execute();
      const slots = new Map<string, SlotOfBlob[]>();
      for (const { digest, id, architecture } of rows)
        slots.set(digest, [...(slots.get(digest) ?? []), { id, architecture }]);
      return slots;
    },
  };
}
