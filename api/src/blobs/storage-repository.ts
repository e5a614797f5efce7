import type { Executor } from '../db/index.ts';
import { referenceRepository } from './reference-repository.ts';

export function storageRepository(executor: Executor) {
  return {
    async totals(): Promise<{ blobs: number; storedBytes: number; sharedBytes: number; unsoundBlobs: number }> {
      const stored = await executor
        .selectFrom('blobs')
        .select(({ fn }) => [fn.countAll<number>().as('count'), fn.sum<number | null>('size').as('size')])
        .executeTakeFirstOrThrow();
      const unsound = await executor
        .selectFrom('blobs')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('state', '<>', 'sound')
        .executeTakeFirstOrThrow();
      // PostgreSQL sums int8 as numeric, which arrives as text.
      return {
        blobs: stored.count,
        storedBytes: Number(stored.size ?? 0),
        sharedBytes: await referenceRepository(executor).sharedBytes(),
        unsoundBlobs: unsound.count,
      };
    },
  };
}
