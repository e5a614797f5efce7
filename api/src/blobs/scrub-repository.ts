import type { Executor, Tx } from '../db/index.ts';
import type { BlobRow } from './repository.ts';

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
  };
}
